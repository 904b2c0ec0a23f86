"""docs/frameworks/bayesflow.md, as printed."""

from guide import follow


def test_the_page_leads_to_c(tmp_path):
    follow("bayesflow", tmp_path)
