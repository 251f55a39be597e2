"""Fixed pictures and sentences: what a model makes of them is part of its embeddings' keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

SENTENCES = (
    "No acute cardiopulmonary process.",
    (
        "Stable moderate cardiomegaly with small bilateral pleural effusions; a"
        " right-sided PICC ends in the lower SVC."
    ),
    (
        "pneumothorax? 3.2 cm nodule in the left upper lobe (new since 01/2019),"
        " atelectasis & interstitial oedema"
    ),
)
VOCABULARY = (
    (
        "the a an and or of in on at to from with without for by as is are was were be"
        " been has have had this that these"
    ),
    (
        "no not none there it its which but if than then also may can could should"
        " would likely possibly probably suspected"
    ),
    (
        "right left bilateral unilateral upper lower middle mid medial lateral anterior"
        " posterior apical basal basilar base"
    ),
    (
        "lung lungs lobe lobes lobar zone zones hilar hilum hila perihilar mediastinal"
        " mediastinum pleural pleura diaphragm"
    ),
    (
        "heart cardiac cardiomediastinal silhouette aorta aortic arch knob tortuous"
        " calcified calcification ectatic vascular"
    ),
    (
        "opacity opacities opacification consolidation infiltrate airspace patchy focal"
        " multifocal diffuse confluent hazy"
    ),
    (
        "effusion effusions pneumonia pneumothorax atelectasis edema oedema fibrosis"
        " emphysema COPD bronchiectasis mass"
    ),
    (
        "nodule nodules nodular granuloma lesion metastasis metastatic tumor tumour"
        " carcinoma lymphadenopathy adenopathy"
    ),
    (
        "normal abnormal clear unremarkable unchanged stable improved worsened"
        " worsening increased decreased resolved new"
    ),
    (
        "mild mildly moderate moderately severe severely small large trace minimal"
        " slight slightly marked markedly massive"
    ),
    (
        "acute chronic interval prior previous comparison compared since again seen"
        " noted demonstrated identified evidence"
    ),
    (
        "tube tubes line catheter PICC port pacemaker lead leads wire wires sternotomy"
        " clips stent valve device drain tip"
    ),
    (
        "endotracheal nasogastric enteric tracheostomy carina cavoatrial junction"
        " subclavian jugular brachiocephalic SVC"
    ),
    (
        "fracture fractures rib ribs clavicle spine vertebral thoracic lumbar scoliosis"
        " degenerative osseous bony shoulder"
    ),
    (
        "PA AP lateral portable upright supine frontal chest radiograph radiographs"
        " x-ray view views image images film CT"
    ),
    (
        "inspiration expansion volumes low hyperinflated hyperinflation flattening"
        " blunting costophrenic angle angles sulcus"
    ),
    (
        "congestion engorgement cephalization Kerley interstitial reticular thickening"
        " scarring scar linear band bandlike"
    ),
    (
        "findings impression indication history technique recommendation follow-up"
        " clinical correlation patient year old"
    ),
    (
        "male female man woman fever cough dyspnea shortness breath pain evaluate"
        " assess status post placement removal"
    ),
    (
        "one two three four five six seven eight nine ten 0 1 2 3 4 5 6 7 8 9 10 12 15"
        " 20 25 30 50 100 2015 1.5 mm cm"
    ),
    (
        "a b c d e f g h i j k l m n o p q r s t u v w x y z A B C D E F G H I J K L M"
        " N O P Q R S T U V W X Y Z"
    ),
    (
        "ab bc cd de ef fg gh hi ij jk kl lm mn no op pq qr rs st tu uv vw wx xy yz zyx"
        " wvu tsr qpo nml kji hgf edc cba"
    ),
    (
        "un re pre post hypo hyper peri sub supra infra inter intra ing ed er est ly"
        " ness ment tion sion ity ous ive al ic"
    ),
    (
        "! \" # $ % & ' ( ) * + , - . / : ; < = > ? @ [ \\ ] ^ _ ` { | } ~ -- ... '"
        " \u201c \u201d \u2018 \u2019 \u2013 \u2014"
    ),
    (
        "\u00e4 \u00f6 \u00fc \u00df \u00e9 \u00e8 \u00f1 \u00e7 \u00e5 \u00f8 \u0142"
        " \u00b5 \u00b0 \u00b1 \u00d7 \u2264 \u2265"
    ),
    (
        "\u043b\u0451\u0433\u043a\u0438\u0435 \u80ba \u5fc3 \ufb01 \u00bd e\u0301"
        " \u0130 \u2160"
    ),
    (
        "  Leading, doubled  and trailing spaces, a tab\there\nand a new line.\r\nUPPER"
        " CASE Mixed Case lower case.  "
    ),
    "Findings: " + "the lungs are clear and the heart is of normal size; " * 40,
)
"""Words of radiology reports, and other text that tokenizers treat differently.

Another vocabulary gives other token ids for some of it.
"""
_HEIGHT = 240
_WIDTH = 320


def pictures() -> Iterator[Image]:
    """In colour and grey, upright and wide, small, and of more than 8 bits.

    A model may treat each of them in its own way.
    """
    import numpy as np
    from PIL import Image

    shape = (_HEIGHT, _WIDTH, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    # A smooth half beside the noise: filters treat the two differently.
    noise[: _HEIGHT // 2] = 96
    grey = np.ascontiguousarray(noise[:, :, 0])
    yield Image.fromarray(noise)
    # Radiographs are mostly grey, and many stand upright.
    yield Image.fromarray(np.ascontiguousarray(grey.T))
    yield Image.fromarray(np.ascontiguousarray(noise.transpose(1, 0, 2)))
    yield Image.fromarray(grey)
    yield Image.fromarray(np.ascontiguousarray(grey[:17, :19]))
    yield Image.fromarray(grey.astype(np.uint16) * 257)
    yield Image.fromarray(grey.astype(np.float32) / 255)
    yield Image.fromarray(grey).convert("1")
    yield Image.fromarray(noise).convert("P")
    yield Image.fromarray(noise).convert("RGBA")
