"""A night of calls rated on Apache Spark, by the same kernel as the command line.

    from trunkrate import Tariff
    from trunkrate_spark import rate_night, session

    published = rate_night(session(), ["calls/"], Tariff("rates", trunks="trunks.json"), "out")

Or `python -m trunkrate_spark --calls calls --rates rates --out out`. What is published is a folder
that
`trunkrate ledger import` takes into a ledger.

    files.py      which call files there are
    ingest.py     from files to records, once
    families.py   which records must be seen together
    history.py    what earlier nights know
    rating.py     the kernel, called on whole families; what comes of it, and the conservation law
    store.py      the folder in which nights are published, and the one rename
    night.py      the steps of a night, in order: start here

**Invariant:** nothing here decides what a call costs or where a record ends; the kernel does.
Nothing depends on the
order of rows, on which rows stand together, on where a batch ends, on a clock or on chance.
"""

from trunkrate_spark.errors import NightError
from trunkrate_spark.night import Published, rate_night
from trunkrate_spark.session import session

__all__ = ["NightError", "Published", "rate_night", "session"]
