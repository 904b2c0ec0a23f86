"""Models of margarine that cannot be exported: none is known."""

REFUSED: dict = {"margarine": {}}
