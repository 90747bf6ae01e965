"""Records of a log that are no calls: a span around calls, a session's title, a user's line."""


class NotACallError(Exception):
    """Raised by a format's `read` for a record that is no call of its own: counted by kind, never dropped silently.

    Args:
        kind: a stable short name, such as "span" or "wrapper of a call".
        why: what the record is, for the note.
    """

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(kind)
        self.kind, self.why = kind, why
