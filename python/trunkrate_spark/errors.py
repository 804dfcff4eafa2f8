"""What can go wrong in a night, in words."""


class NightError(Exception):
    """A night that cannot be rated or published: what was found, what was expected, what to do.

    Nothing is published when it is raised.
    """
