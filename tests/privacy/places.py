"""The rows of the table: every place of the user's world where a canary is put.

A canary is a word that stands nowhere else. One that turns up in an output has leaked, and
says from where. To add a place, add a row here and put its canary into the world.
"""

from __future__ import annotations

from dataclasses import dataclass

_MARK = "canaryof"
STUDY_NUMBER = 7_391_046_500
"""Studies are numbers, which arrays hold as bytes. That of image n is n more."""


@dataclass(frozen=True)
class Place:
    """Where a canary is put."""

    name: str
    what: str

    @property
    def canary(self) -> str:
        """A word in small letters: slugs, case and escaping leave it as it is."""
        if self.name == "study":
            # Of the first eight digits, which all studies share.
            return str(STUDY_NUMBER)[:8]
        return _MARK + self.name.replace(" ", "")


PLACES = (
    Place("report", "text of a report"),
    Place("edited report", "text of an edited report (`counterfactuals`)"),
    Place("image id", "id of an image"),
    Place("study", "id of a study, a number"),
    Place("patient", "id of a patient"),
    Place("image file", "name of an image file"),
    Place("image folder", "folder of the images"),
    Place("data folder", "folder of the tables"),
    Place("table file", "name of a table"),
    Place("mask folder", "folder of anatomical masks"),
    Place("column", "name of a column that no option names"),
    Place("value", "value of a column that no option names"),
    Place("small group", "value of a stratum with few patients"),
    Place("dicom header", "patient's name and id in a DICOM header"),
    Place("png text", "text chunk of a PNG"),
    Place("exif", "EXIF of a JPEG"),
    Place("broken bytes", "bytes of a damaged image, table or checkpoint"),
    Place("toml comment", "comment of `robust.toml`"),
    Place("toml value", "path in a table of `robust.toml`"),
    Place("password", "password in an address"),
    Place("ini comment", "comment of `pytest.ini`"),
    Place("environment", "value of an environment variable"),
    Place("source line", "source line of your own code"),
    Place("error message", "message of an exception of your own code"),
    Place("error note", "note of such an exception"),
    Place("error cause", "exception behind it"),
    Place("local variable", "variable of a function that fails"),
    Place("home", "folder above the project"),
    Place("elsewhere", "folder of a file outside of the project"),
    Place("checkpoint", "folder above a checkpoint's"),
    Place("tokenizer", "vocabulary, settings and README of a checkpoint"),
    Place("host", "name of the machine"),
    Place("user", "name of the user's account"),
)
"""Every place, each once."""
_CANARIES = {place.name: place.canary for place in PLACES}


def canary(name: str) -> str:
    """The canary of a place."""
    return _CANARIES[name]
