"""The plugin as a user meets it: outcome, exit code and printed lines of small projects."""

from __future__ import annotations

import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust import load_dataset, load_model
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.measure.pairs import pairs_of

from ..conftest import ANY_MODEL, SMALL, THREE_LINES, Run
from ..forked_runs import forked_pytest

CELLS = [
    "test_recall_under_occlusion[tiny-cxr-clip-synthetic-cxr-patches-level0.00-seed0]"
]
CELLS.append(CELLS[0].replace("0.00", "0.30"))
MODULE = "pytest_retrieval_robust.run.plugin"
GATED = """
[[gate]]
model = "tiny-cxr-clip"
level = 0.3
recall = { 10 = FLOOR }
"""
OWN_MODEL = """
import pytest
from pytest_retrieval_robust.models import ModelEntry

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    from pytest_retrieval_robust import load_model

    def load(request):
        model = load_model("tiny-cxr-clip", device=request.device)
        model.name = "ours"
        return model

    catalogues.models.add(ModelEntry("ours", "our candidate", load))
"""


def test_a_three_line_suite_measures_and_summarises(run_suite: Run) -> None:
    result = run_suite()
    result.assert_outcomes(passed=2)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*= retrieval robustness =*",
            "synthetic-cxr, patches: image-to-report Recall@10 in %",
            "24 queries, gallery 24, chance 41.7, ceiling 100.0, cpu fp32",
            "test, findings+impression, same-text",
            "*   0    0.3*kept  half",
            "tiny-cxr-clip * ??.?~*",
            (
                "note: Only the first 24 pairs of each data set were used: a smoke"
                " run, no*"
            ),
            (
                "RELEASE GATE: PASSED (smoke run: the first 24 pairs; 1 gate met, 1"
                " cell ungated)"
            ),
        ]
    )


def test_a_data_set_with_parameters_is_measured_gated_and_saved_under_its_name(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    name = "synthetic-cxr(prevalence=0.65,relevance=same-labels)"
    (pytester.path / "robust.toml").write_text(
        f'[[gate]]\ndataset = "{name}"\nrecall = {{ 10 = 0.0 }}\n'
        '[[gate]]\ndataset = "synthetic-c*"\nretention = { 10 = 0.0 }\n'
    )
    typed = "synthetic-cxr(relevance=same-labels,prevalence=0.650)"
    result = run_suite(f"--robust-datasets={typed}", "-v", "--robust-results=out")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "*[[]tiny-cxr-clip-synthetic-cxr-prevalence0.65-relevancesame-labels-patches-level0.30-seed0]"
            " PASSED*"
        ]
    )
    (saved,) = json.loads((pytester.path / "out/run.json").read_text())["datasets"]
    assert (saved["name"], saved["relevance"]) == (name, "same-labels")


def test_the_summary_fits_in_80_columns(run_suite: Run) -> None:
    levels = "--robust-levels=0,0.1,0.2,0.3,0.4,0.5"
    lines = run_suite("--robust-models=all", levels, "--robust-limit=12").outlines
    start = next(i for i, line in enumerate(lines) if "retrieval robustness" in line)
    table = [
        line
        for line in lines[start:]
        if not line.startswith(("RELEASE GATE", "SKIPPED"))
    ]
    assert max(map(len, table)) <= 80


def test_without_the_plugin_its_fixtures_are_gone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine=THREE_LINES, test_other="def test_other(): pass")
    pytester.makeconftest(OWN_MODEL)
    result = pytester.runpytest_inprocess("-p", "no:retrieval_robust")
    result.assert_outcomes(passed=1, errors=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*fixture 'outcome' not found*"])
    result.stdout.no_fnmatch_line("*RELEASE GATE*")


def test_collect_only_lists_ids_and_measures_nothing(run_suite: Run) -> None:
    result = run_suite("--collect-only", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"test_mine.py::{cell}" for cell in CELLS])
    result.stdout.no_fnmatch_line("*RELEASE GATE*")


def test_quiet_prints_the_table_what_was_not_met_and_the_last_line(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    (pytester.path / "robust.toml").write_text(
        "[[gate]]\nlevel = 0.3\nrecall = { 10 = 1.0 }\n"
    )
    loud, quiet = run_suite(), run_suite("-q")
    assert loud.ret == quiet.ret == 1
    quiet.stdout.fnmatch_lines(
        [
            "*image-to-report Recall@10 in %",
            "tiny-cxr-clip *",
            "failed: tiny-cxr-clip on *",
            "RELEASE GATE: FAILED*",
        ]
    )
    for line in ("note: *", "loaded: *", "kept: *"):
        quiet.stdout.no_fnmatch_line(line)
    assert [line for line in loud.outlines if line.startswith("failed:")] == [
        line for line in quiet.outlines if line.startswith("failed:")
    ]


def test_quiet_says_which_named_model_is_missing_and_which_test_broke(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("def test_it(outcome):\n    assert outcome.case.level == 1\n")
    result = pytester.runpytest_inprocess(
        *SMALL[1:], "--robust-models=tiny-cxr-clip,chexzero", "-q"
    )
    result.stdout.fnmatch_lines_random(
        ["broken:*", "not tested: chexzero: *", "RELEASE GATE: FAILED*"]
    )


def test_twice_quiet_prints_the_last_line_alone(run_suite: Run) -> None:
    result = run_suite("-qq")
    result.stdout.fnmatch_lines(["RELEASE GATE: *"])
    result.stdout.no_fnmatch_line("*Recall@10*")


def test_the_legend_is_printed_once_and_explains_each_column(run_suite: Run) -> None:
    result = run_suite("--robust-occluders=patches,box")
    for word in ("kept:", "half:", "~ no gate", "chance:", "ceiling:"):
        assert sum(word in line for line in result.outlines) == 1, word


def test_verbose_prints_every_cell_and_both_directions(run_suite: Run) -> None:
    result = run_suite("-v", "--robust-no-cache")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*image-to-report Recall@1 in %",
            "*report-to-image Recall@10 in %",
            "ungated: tiny-cxr-clip on synthetic-cxr, patches at level 0.3, seed 0",
            "  image-to-report R@1 *, R@5 *, R@10 *, median rank *",
            "  0.3008 of the image hidden, 0.3008 of the model's view, * images/s",
        ]
    )


def test_no_summary_prints_nothing_and_still_judges(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    pytester.makefile(
        ".toml",
        robust=GATED.replace("level = 0.3", "level = 1.0").replace("FLOOR", "0.5"),
    )
    result = run_suite("--no-summary", "--robust-levels=1")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*RELEASE GATE*")
    assert result.ret == 1


def test_k_narrows_the_run_and_says_so(run_suite: Run) -> None:
    result = run_suite("-k", "level0.30")
    result.assert_outcomes(passed=1, deselected=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["note: This run is partial (-k): *", "RELEASE GATE: PASSED*"]
    )


def test_a_single_node_id_measures_its_cell(run_suite: Run) -> None:
    result = run_suite(f"test_mine.py::{CELLS[1]}")
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["note: This run is partial (node ids): *"])


def test_a_missed_floor_fails_with_a_full_sentence(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    pytester.makefile(
        ".toml",
        robust=GATED.replace("level = 0.3", "level = 1.0").replace("FLOOR", "0.5"),
    )
    result = run_suite("--robust-levels=1")
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "failed: tiny-cxr-clip on synthetic-cxr, patches at level 1, seed 0,",
            "  image-to-report: Recall@10 is 0.417, below the floor of 0.500.",
            "RELEASE GATE: FAILED because 1 of 1 gate was not met",
        ]
    )


def test_x_stops_at_the_first_failure_and_keeps_what_was_measured(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    pytester.makefile(
        ".toml", robust=GATED.replace("level = 0.3\n", "").replace("FLOOR", "1.0")
    )
    result = run_suite("-x", "--robust-levels=0.9,1")
    assert result.ret == 1
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(
        ["*Recall@10 in %", "note: This run is partial (stopped early): *"]
    )


def test_lf_repeats_what_failed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine=THREE_LINES)
    pytester.makefile(
        ".toml",
        robust=GATED.replace("level = 0.3", "level = 1.0").replace("FLOOR", "0.5"),
    )
    options = ("--robust-limit=24", "--robust-levels=1")
    assert pytester.runpytest_inprocess(*options).ret == 1
    result = pytester.runpytest_inprocess("--lf", *options)
    result.assert_outcomes(failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*partial (--lf)*", "RELEASE GATE: FAILED because 1 of 1 gate was not met"]
    )


def test_a_foreign_suite_hears_nothing_of_us(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_other(): pass")
    pytester.makefile(".toml", robust="this is another tool's [file")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*RELEASE GATE*")
    result.stdout.no_fnmatch_line("*robustness*")


def test_a_conftest_registers_a_model(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(OWN_MODEL)
    result = run_suite("--robust-models=ours")
    result.assert_outcomes(passed=2)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["ours   *", "RELEASE GATE: PASSED*"])


def test_an_absent_model_of_all_is_one_skip_with_reason_and_remedy(
    run_suite: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    result = run_suite("--robust-models=all", "-rs")
    # Two levels of each embedded encoder.
    absent = sum(not entry.embedded for entry in Catalogues().models.entries())
    result.assert_outcomes(passed=8, skipped=absent)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "SKIPPED * the weights of clip (openai/clip-vit-base-patch32) are not *hf"
            " download*"
        ]
    )
    result.stdout.fnmatch_lines(["not tested: *", "*`-v` says what each of them*"])
    # The names are wrapped to the width of the terminal.
    listed = result.stdout.str().partition("not tested: ")[2].split()
    assert "clip," in listed
    result.stdout.fnmatch_lines([f"RELEASE GATE: PASSED (*{absent} models not tested)"])


def test_verbosely_each_absent_model_has_its_reason(
    run_suite: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRIEVAL_ROBUST_CACHE", "nowhere")
    result = run_suite(
        "--robust-models=tiny-cxr-clip,cxr-*,med*", "-v", "-k", "level0.00"
    )
    result.stdout.fnmatch_lines(
        ["not tested: cxr-repair: the weights of cxr-repair are not on this machine*"]
    )


def test_without_models_the_embedded_ones_are_meant(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine=THREE_LINES)
    result = pytester.runpytest_inprocess("--robust-levels=0", "--collect-only", "-q")
    names = [
        line.partition("[")[2].removesuffix("-synthetic-cxr-patches-level0.00-seed0]")
        for line in result.outlines
    ]
    assert [name for name in names if name] == [
        "tiny-cxr-clip",
        "tiny-cxr-clip-robust",
        "tiny-cxr-openclip",
        "tiny-general-clip",
    ]


def test_an_absent_model_asked_for_by_name_fails_the_gate(run_suite: Run) -> None:
    result = run_suite("--robust-models=tiny-cxr-clip,medclip")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["RELEASE GATE: FAILED because medclip had to be tested and was not; *"]
    )


def test_nothing_measured_is_never_green(run_suite: Run) -> None:
    result = run_suite("--robust-models=medclip-*")
    result.assert_outcomes(skipped=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["RELEASE GATE: FAILED because nothing was measured"])


def test_options_without_a_test_of_ours_are_never_green(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("def test_other(): pass")
    result = pytester.runpytest_inprocess("--robust-models=tiny-cxr-clip")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["RELEASE GATE: FAILED because nothing was measured; tiny-cxr-clip had to be*"]
    )


def test_other_tests_keep_their_places(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "def test_first(): pass\n" + THREE_LINES + "\ndef test_last(): pass\n"
    )
    result = pytester.runpytest_inprocess(*SMALL, "--collect-only", "-q")
    names = [
        line.partition("::")[2].partition("[")[0]
        for line in result.outlines
        if "::" in line
    ]
    assert names == [
        "test_first",
        "test_recall_under_occlusion",
        "test_recall_under_occlusion",
        "test_last",
    ]


def test_each_model_is_loaded_once(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_a=THREE_LINES,
        test_b="def test_curve(robustness_curve): pass",
        test_c=THREE_LINES,
    )
    (pytester.path / "robust.toml").write_text(ANY_MODEL)
    pytester.makeconftest(
        OWN_MODEL.replace(
            "    def load(request):",
            "    def load(request):\n        print('LOADED ours')",
        )
    )
    result = pytester.runpytest_inprocess(
        *SMALL, "-s", "--robust-models=ours,tiny-cxr-clip"
    )
    assert result.ret == 0
    assert "\n".join(result.outlines).count("LOADED ours") == 1


def test_our_results_stay_out_of_junit(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    assert run_suite("--junitxml=junit.xml").ret == 0
    assert "robust_" not in (pytester.path / "junit.xml").read_text().replace(
        "test_recall_under_occlusion", ""
    )
    assert "<properties>" not in (pytester.path / "junit.xml").read_text()


def test_a_curve_gate_does_not_mark_a_cell(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    pytester.makefile(
        ".toml", robust='[[gate]]\nmodel = "tiny-*"\nauc = { 10 = 0.5 }\n'
    )
    result = run_suite()
    result.stdout.fnmatch_lines(
        ["tiny-cxr-clip *~*~*", "RELEASE GATE: PASSED (*1 gate met, 2 cells ungated)"]
    )


FOREIGN = {
    "a parameter": (
        """
        import pytest

        @pytest.mark.parametrize("outcome, x", [("win", 1), ("lose", 2)])
        def test_game(outcome, x):
            assert outcome in ("win", "lose")
        """
    ),
    "a fixture with parameters": (
        """
        import pytest

        @pytest.fixture(params=["hand", "leaf"])
        def occluder(request):
            return request.param

        def test_game(occluder):
            assert occluder in ("hand", "leaf")
        """
    ),
    "a fixture and its parameters": (
        """
        import pytest

        @pytest.fixture
        def outcome(request):
            return request.param

        @pytest.mark.parametrize("outcome", ["win", "lose"], indirect=True)
        def test_game(outcome):
            assert outcome in ("win", "lose")
        """
    ),
}


@pytest.mark.parametrize("test", FOREIGN.values(), ids=FOREIGN)
def test_names_of_another_project_are_its_own(
    pytester: pytest.Pytester, test: str
) -> None:
    (pytester.path / "robust.toml").write_text("this = belongs to another tool")
    pytester.makepyfile(test)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=2)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*RELEASE GATE*")


def test_a_parameter_of_ones_own_is_left_alone_beside_tests_of_ours(
    pytester: pytest.Pytester,
) -> None:
    mark = "import pytest\n\n@pytest.mark.parametrize('retrieval_model', [1, 2])"
    (pytester.path / "robust.toml").write_text(ANY_MODEL)
    pytester.makepyfile(
        test_mine=(
            f"{mark}\ndef test_own(retrieval_model, occluder): pass\n{THREE_LINES}"
        )
    )
    result = pytester.runpytest_inprocess(*SMALL)
    result.assert_outcomes(passed=4)
    assert result.ret == 0


@pytest.mark.parametrize("axis", ["retrieval_model", "retrieval_dataset", "occluder"])
def test_a_mark_that_names_what_the_run_lacks_is_a_usage_error(
    pytester: pytest.Pytester, axis: str
) -> None:
    mark = f"@pytest.mark.parametrize('{axis}', ['tiny-cxr-openclip'], indirect=True)"
    pytester.makepyfile(test_mine=f"import pytest\n{mark}{THREE_LINES}")
    result = pytester.runpytest_inprocess(*SMALL)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "*Expected parameters that --robust-* names (*), got 'tiny-cxr-openclip' in"
            " test_mine.py::*"
        ]
    )


def test_a_required_model_is_tested_whatever_else_is_asked_for(
    pytester: pytest.Pytester, run_suite: Run
) -> None:
    (pytester.path / "robust.toml").write_text(
        '[models.candidate]\ncheckpoint = "nowhere"\nrequired = true\n'
    )
    result = run_suite("--robust-models=tiny-cxr-clip")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["RELEASE GATE: FAILED because candidate had to be tested and was not; *"]
    )


def test_gates_beside_a_suite_hold_whatever_stands_beside_it(
    pytester: pytest.Pytester, bare_suite: Run
) -> None:
    suite, beside = pytester.mkdir("suite"), pytester.mkdir("other")
    (pytester.path / "test_mine.py").rename(suite / "test_mine.py")
    (beside / "test_other.py").write_text("def test_other(): pass")
    (suite / "robust.toml").write_text("[[gate]]\nlevel = 0.3\nrecall = { 1 = 1.0 }\n")
    for arguments in (("suite",), ("suite", "other"), ("other", "suite")):
        assert bare_suite(*arguments).ret == 1
    (beside / "robust.toml").write_text(
        "[[gate]]\nlevel = 0.3\nrecall = { 10 = 0.0 }\n"
    )
    result = bare_suite("suite", "other")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*Expected one robust.toml for all test arguments*"])


def test_the_saved_command_holds_no_folder_of_the_users(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    run_suite(f"--robust-results={pytester.path}/my runs/out", "--robust-device=cpu")
    saved = json.loads((pytester.path / "my runs/out/run.json").read_text())
    assert str(pytester.path) not in saved["run"]["command"]
    assert "--robust-results=.../out --robust-device=cpu" in saved["run"]["command"]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (
            "--datasets=table(path=/data/p10/x.csv,text=report)",
            "--datasets=table(path=.../x.csv,text=report)",
        ),
        ("--models=hf:ORG/NAME,open_clip:ViT-B-32/openai,local-dir:/home/me/x", None),
        ("suites/", "suites/"),
        ("../john-doe/test_a.py", ".../test_a.py"),
        ("--robust-results=/data/doe,john/results", "--robust-results=.../results"),
        (
            "--models=local-dir:/home/a/x,local-dir:/home/b/y",
            "--models=local-dir:.../x,local-dir:.../y",
        ),
        (
            "--models=local-dir:/data/a,clip,hf:ORG/NAME@main",
            "--models=local-dir:.../a,clip,hf:ORG/NAME@main",
        ),
        (
            "--models=clip,local-dir:/data/Roe, Jane/a,clip",
            "--models=clip,local-dir:.../a,clip",
        ),
        ("~/suites", ".../suites"),
        ("~jane-roe/results", ".../results"),
        ("./suites/test_a.py", "./suites/test_a.py"),
        ("-c/data/p10/pytest.ini", "-c.../pytest.ini"),
        ("-ocache_dir=/data/p10/cache", "-ocache_dir=.../cache"),
        (
            "--robust-results=/tmp/Study (Jane Roe)/results",
            "--robust-results=.../results",
        ),
        ("/data/patient=JaneRoe/test_a.py::test_it[a]", ".../test_a.py::test_it[a]"),
        ("--datasets=table(path=/data/Roe (Jane)/x.csv,text=report),open-i", None),
        (
            "--datasets=a(root=/data/patient=Roe, Jane/x,b=/y/z)",
            "--datasets=a(root=.../x,b=.../z)",
        ),
        ("-kpatches or box", "-kpatches or box"),
        ("-n2", "-n2"),
    ],
)
def test_which_paths_are_shortened(typed: str, kept: str | None) -> None:
    from pytest_retrieval_robust.run.scope import shown_argument

    cut = {
        "--models": "--models=hf:ORG/NAME,open_clip:ViT-B-32/openai,local-dir:.../x",
        "--datasets": "--datasets=table(path=.../x.csv,text=report),open-i",
    }
    assert shown_argument(typed) == (kept or cut[typed.partition("=")[0]])


@given(
    folders=st.lists(
        st.text("abc ,()=-", min_size=1, max_size=6).filter(str.strip),
        min_size=1,
        max_size=4,
    ),
    form=st.sampled_from(["{}", "--robust-results={}", "-c{}", "-o{}"]),
)
def test_of_an_absolute_path_no_folder_stays(folders: list[str], form: str) -> None:
    from pytest_retrieval_robust.run.scope import shown_argument

    path = "/".join(["", *(f"{folder}SECRET" for folder in folders), "out"])
    assert shown_argument(form.format(path)) == form.format(".../out")


def test_the_saved_command_can_be_pasted_into_a_shell(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    run_suite(
        "--robust-results=out",
        "--robust-occluders=patches(fill=mean)",
        "-k",
        "test_recall or test_mine",
    )
    (command,) = (
        json.loads((pytester.path / "out/run.json").read_text())["run"]["command"],
    )
    typed = shlex.split(command)
    assert typed[0] == "pytest"
    assert typed[-4:] == [
        "--robust-results=out",
        "--robust-occluders=patches(fill=mean)",
        "-k",
        "test_recall or test_mine",
    ]


def test_reports_that_a_model_cuts_are_counted_over_all_data_sets(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    names = ("synthetic-cxr", "synthetic-cxr(prevalence=0.65)")
    run_suite(
        f"--robust-datasets={','.join(names)}",
        "--robust-limit=50",
        "--robust-levels=0",
        "--robust-results=out",
    )
    (model,) = json.loads((pytester.path / "out/run.json").read_text())["models"]
    reads = load_model("tiny-cxr-clip")
    cut = [reads.truncated(pairs_of(load_dataset(name), 50).texts) for name in names]  # type: ignore[attr-defined]
    assert min(cut) > 0
    assert model["truncated_reports"] == sum(cut)


def test_an_interrupted_run_is_no_whole_one(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine=THREE_LINES.replace(
            "    assert",
            "    if outcome.case.level: raise KeyboardInterrupt\n    assert",
        )
    )
    # Not in this process: pytester would pass the interrupt on.
    result = forked_pytest(pytester.path, *SMALL, "--robust-results=out")
    assert result.ret == 2
    result.stdout.fnmatch_lines(
        ["*RELEASE GATE: FAILED because the run was interrupted"]
    )
    assert (
        json.loads((pytester.path / "out/run.json").read_text())["run"]["partial"]
        == "interrupted"
    )


def test_what_a_test_of_the_users_says_stays_out_of_the_results(
    pytester: pytest.Pytester,
) -> None:
    """Its message may hold a report's text; pytest shows it, as it always does."""
    pytester.makepyfile(
        test_mine="""
        import pytest
        def test_one(outcome):
            assert "pneumonia" in "John Doe, MRN 123456: effusion"
        def test_two(outcome):
            pytest.fail("John Doe again", pytrace=False)
        """
    )
    result = pytester.runpytest_inprocess(*SMALL, "--robust-results=out")
    assert result.ret == 1
    saved = (pytester.path / "out/run.json").read_text()
    assert "Doe" not in saved
    assert [
        sentence.partition(": ")[2] for sentence in json.loads(saved)["run"]["broken"]
    ] == [
        "AssertionError (pytest's output says more)",
        "Failed (pytest's output says more)",
    ]


def test_one_level_alone_is_judged_and_saved(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    (pytester.path / "robust.toml").write_text(
        "[[gate]]\nauc = { 10 = 0.1 }\nrecall = { 10 = 0.5 }\n"
    )
    result = run_suite("--robust-levels=0", "--robust-results=out")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "inconclusive: *area under Recall@10",
            "*takes two levels or*",
            "*because 1 of 2 gates was*",
        ]
    )
    assert json.loads((pytester.path / "out/run.json").read_text())["curves"][0][
        "auc"
    ] == {
        "1": None,
        "5": None,
        "10": None,
    }


@pytest.mark.parametrize("hook", ["pytest_sessionfinish", "pytest_terminal_summary"])
def test_results_are_written_though_another_plugin_fails_at_the_end(
    run_suite: Run, pytester: pytest.Pytester, hook: str
) -> None:
    pytester.makeconftest(f"def {hook}(): raise RuntimeError('of another')")
    result = run_suite("--robust-results=out")
    assert result.ret == 3
    result.stdout.fnmatch_lines(
        ["RELEASE GATE: FAILED because another plugin failed at the end of the session"]
    )
    run = json.loads((pytester.path / "out/run.json").read_text())["run"]
    assert run["status"] == "failed"


def test_an_interrupt_at_the_end_is_not_said_of_a_plugin(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest("def pytest_terminal_summary(): raise KeyboardInterrupt")
    pytester.makepyfile(test_mine=THREE_LINES)
    (pytester.path / "robust.toml").write_text(ANY_MODEL)
    # Not in this process: pytester would pass the interrupt on.
    result = forked_pytest(pytester.path, *SMALL)
    assert result.ret != 0
    result.stdout.fnmatch_lines(
        ["RELEASE GATE: FAILED because the end of the session was interrupted"]
    )


@pytest.mark.parametrize("option", ["--benchmark-only", "--benchmark-skip"])
def test_pytest_benchmark_knows_the_timings_as_benchmarks(
    pytester: pytest.Pytester, option: str
) -> None:
    timing = (
        "\ndef test_timing(occlusion_timer):\n    occlusion_timer(images=1, rounds=1,"
        " calls=1)\n"
    )
    pytester.makepyfile(test_mine=THREE_LINES + timing)
    result = pytester.runpytest_inprocess(*SMALL, option, "-v")
    result.assert_outcomes(passed=2, skipped=2)
    passed = [line for line in result.outlines if "::" in line and "PASSED" in line]
    assert all(
        ("test_timing" in line) == (option == "--benchmark-only") for line in passed
    )


@pytest.mark.parametrize("name", ["retrieval_robust", MODULE])
def test_a_plugin_that_an_option_names_too_is_loaded_once(
    pytester: pytest.Pytester, name: str
) -> None:
    pytester.makepyfile(THREE_LINES)
    result = pytester.runpytest_inprocess(*SMALL, "-p", name, "--collect-only", "-q")
    assert result.ret == 0, result.stderr.str()
    result.stdout.fnmatch_lines(["2 tests collected*"])


def test_a_plugin_that_a_conftest_names_too_is_loaded_once(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(f"pytest_plugins = [{MODULE!r}]")
    pytester.makepyfile(THREE_LINES)
    result = pytester.runpytest_inprocess(*SMALL, "--collect-only", "-q")
    assert result.ret == 0, result.stderr.str()
    result.stdout.fnmatch_lines(["2 tests collected*"])


TABLE_OF_DATA = """
[datasets.mine]
loader = "table"
path = "mine.csv"
image = "image"
text = "text"
"""


@pytest.mark.parametrize("option", [None, "--robust-datasets=synthetic-cxr"])
def test_a_data_set_of_the_policy_that_nobody_chose_is_named(
    run_suite: Run, pytester: pytest.Pytester, option: str | None
) -> None:
    """A verdict on the default must not pass for one on the user's own data."""
    (pytester.path / "robust.toml").write_text(ANY_MODEL + TABLE_OF_DATA)
    result = run_suite(*([] if option is None else [option]))
    assert result.ret == 0
    is_said = "--robust-datasets mine." in result.stdout.str()
    assert is_said == (option is None)
