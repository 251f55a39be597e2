"""Words that say how a sentence means what it names: denied, in doubt, or about before."""

from __future__ import annotations

DENIALS = frozenset(
    (
        *("no", "not", "without", "negative", "free", "absent", "absence", "none"),
        *("neither", "nor", "never", "cannot", "lack", "lacks", "lacking", "denies"),
        *("resolved", "resolution", "resolving", "cleared", "clearing", "clear"),
        *("removed", "removal", "exclude", "excluded", "excluding", "excludes"),
        *("rather", "ruled", "unremarkable", "normal", "intact", "regressed"),
        *("withdrawn", "discontinued", "isn't", "aren't", "wasn't", "weren't"),
        *("except", "instead", "non", "negation", "prevented", "disappeared"),
        *("unlikely", "incompletely", "within"),
    )
)
"""A sentence with one of these is not taken for an assertion.

"Within" is among them for "within normal limits"; `document` takes other uses out.
"""

DOUBTS = frozenset(
    (
        *("may", "might", "could", "can", "would", "should", "possible", "possibly"),
        *("probable", "probably", "likely", "suspected", "suspicious", "suspect"),
        *("suspicion", "questionable", "question", "questioned", "suggest"),
        *("suggests", "suggested", "suggestive", "suggesting", "suggestion"),
        *("concerning", "concern", "concerns", "consider", "considered", "versus"),
        *("considering", "vs", "or", "perhaps", "presumably", "presumed", "apparent"),
        *("apparently", "borderline", "if", "whether", "represent", "represents"),
        *("representing", "compatible", "consistent", "differential", "equivocal"),
        *("evaluate", "evaluation", "assess", "correlate", "correlation"),
        *("recommend", "recommended", "recommendation", "advised", "please"),
        *("artifact", "artifactual", "overlap", "overlapping", "mimic", "mimics"),
        *("simulate", "simulating", "simulates", "obscure", "obscures", "obscured"),
        *("obscuring", "limited", "limits", "suboptimal", "indeterminate", "vague"),
        *("impression", "appear", "appears", "appearing", "appeared", "seem"),
        *("seems", "secondary", "due", "either", "reflect", "reflects", "although"),
        *("reflecting", "history", "known", "reported", "reportedly", "though"),
        *("but", "however", "doubt", "doubtful", "believed", "felt", "thought"),
        *("versus", "potentially", "potential", "related", "relate", "relates"),
        *("attributed", "attributable", "indicate", "indicates", "indicating"),
        *("indicative", "favor", "favored", "favors", "worrisome", "near", "quite"),
        *("example", "improved", "improving", "improvement", "decreased", "unless"),
        *("evolving", "partially", "partial", "near-complete", "otherwise", "other"),
        *("status", "post", "xxxx", "xxx", "xx", "unclear", "uncertain"),
        *("age-indeterminate", "ill-defined", "pseudo", "mistaken", "described"),
    )
)
"""A sentence with one of these is left alone.

Some are no doubts by themselves ("other", "improved", "due"), but tie the sentence to
something that the rules do not read. A word that an anonymiser replaced by XXXX may have
been any of them.
"""

PRONOUNS = frozenset(
    (
        *("this", "these", "those", "that", "it", "its", "they", "which", "such"),
        *("findings", "finding", "same", "both"),
    )
)
"""A sentence that begins with one of these speaks of the one before it."""

FURTHER = frozenset(
    (
        *("recommend", "recommended", "recommendation", "recommendations", "follow-up"),
        *("followup", "suggest", "suggested", "advised", "correlate", "correlation"),
        *("otherwise", "other", "above", "aforementioned", "described"),
        *("this", "these"),
    )
)
"""A report with one of these outside of the sentence goes on about what it found."""
