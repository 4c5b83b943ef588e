"""What goes wrong for the person at the command line: one sentence that says what, why and what next."""


class CommandError(Exception):
    """The command cannot do what was asked. The text is for the person who asked."""


class AbsentError(CommandError):
    """There is no object of that name."""
