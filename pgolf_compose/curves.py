"""Placeholder."""


def svg(logs, title):
    return f"<svg><title>{len(logs)}</title></svg>\n"
