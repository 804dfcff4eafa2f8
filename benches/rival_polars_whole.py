"""The whole job in Python polars: legs, call log and ids, sorted and cut by day; duplicates,
conservation, hashes.

All legs are one wide table, sorted once; a call that bills nothing has a leg there too, without a
price. So legs and log are
two walks through it in its order.

Tried with polars 2.1 on a busy machine, in CPU seconds per million calls (this: 8, the legs alone
in the same hour: 3), so take
them as orders of size; each measured as a step alone:
  texts that repeat sorted as texts                                            +0.3
  sorted by the streaming engine                                               +0.4
  different ids counted by their text, not proved by their hashes              +0.2
"""

from pathlib import Path

import polars as pl

import rival_books
from rival_polars_deck import Deck, at

DIRECTIONS = ("trunking-terminating", "trunking-originating")
FINAL = ("completed", "busy", "failed", "no-answer", "canceled")
BILLS = pl.col("class") == "rated"
LOG = (
    "call_sid parent_call_sid account_sid trunk_sid role scenario direction from to caller_id"
    " start_time end_time duration_seconds status class currency amount carrier_price run_id"
).split()
REPEATED = pl.col(
    "account_sid", "trunk_sid", "direction", "status"
)  # by number: a table of wide texts is dear to sort


def read(path):
    calls = (
        pl.scan_parquet(path)
        if path.endswith(".parquet")
        else pl.scan_csv(path, infer_schema=False)
    )
    instant = pl.col("start_time", "end_time").str.to_datetime(
        "%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC", cache=False
    )
    calls = calls.select(
        "sid",
        "parent_call_sid",
        "account_sid",
        "trunk_sid",
        "direction",
        "status",
        "refer_to",
        instant,
        a="from",
        b="to",
        duration_seconds=pl.col("duration").fill_null("0").cast(pl.Int32),
        carrier_price=pl.col("price").cast(pl.Decimal(18, 10)),
    )
    return calls.with_columns(REPEATED.cast(pl.Categorical)).collect(engine="streaming")


def one_of_each(records):
    """The calls, each once. That all hashes differ proves that all ids do, at a quarter of the
    cost."""
    if records["sid"].hash().n_unique() == records.height:
        return records
    return records.unique("sid", keep="any")


def families(calls):
    """Every call with A and B, which are the root's; C, whom a child was transferred to; and its
    class."""
    is_root = pl.col("parent_call_sid").is_null()
    content = pl.struct(
        "account_sid",
        "trunk_sid",
        "direction",
        "start_time",
        "end_time",
        "duration_seconds",
        "status",
        "a",
        "b",
        "refer_to",
    ).hash()
    calls = calls.lazy().with_columns(content=content)
    roots = calls.filter(is_root).with_columns(
        asked="direction", pstn=pl.lit(False), c=pl.lit(None, pl.String)
    )
    pstn = pl.col("refer_to").str.contains(".pstn.twilio.com>", literal=True)
    number = pl.col("refer_to").str.split_exact("@", 1).struct[0].str.strip_prefix("<sip:")
    of_root = calls.filter(is_root).select(
        "a", "b", parent_call_sid="sid", asked="direction", root_trunk="trunk_sid"
    )
    children = (
        calls.filter(~is_root)
        .drop("a", "b")
        .join(of_root, on="parent_call_sid", how="left")
        .with_columns(
            pl.coalesce("trunk_sid", "root_trunk").alias("trunk_sid"),
            pstn=pstn,
            c=pl.when(pstn).then(number).otherwise(pl.col("refer_to")),
        )
    )
    both = pl.concat([roots, children.drop("root_trunk").select(roots.collect_schema().names())])
    asked, status = pl.col("asked").cast(pl.String), pl.col("status").cast(pl.String)
    return (
        both.drop("refer_to")
        .with_columns(
            outward=asked == DIRECTIONS[0],
            **{
                "class": (
                    pl.when(~asked.is_in(DIRECTIONS))
                    .then(pl.lit("ignored"))
                    .when(asked.is_null() | ~status.is_in(FINAL))
                    .then(pl.lit("suspended"))
                    .when((status == "completed") & (pl.col("duration_seconds") > 0))
                    .then(pl.lit("rated"))
                    .otherwise(pl.lit("free"))
                    .cast(pl.Categorical)
                )
            },
        )
        .drop("asked")
    )


def every_leg(calls):
    """The published table: the service, the number that is rated and the origin (none: unknown) of
    each leg."""
    outward, pstn, is_root = pl.col("outward"), pl.col("pstn"), pl.col("c").is_null()

    first = calls.with_columns(
        leg=pl.lit(1, pl.Int64),
        service=pl.when(outward).then(pl.lit("termination")).otherwise(pl.lit("origination")),
        rated_number=pl.when(BILLS).then("b"),
        origin_number=pl.when(is_root | pstn | ~outward).then("a"),
    )
    second = calls.filter(pstn & BILLS).with_columns(
        leg=pl.lit(2, pl.Int64),
        service=pl.lit("termination"),
        rated_number="c",
        origin_number=pl.when(outward).then("a").otherwise("b"),
    )
    return pl.concat([first, second])


def written(rows, path):
    """Writes rows in their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.lazy().sink_parquet(path, compression="zstd", compression_level=1)


def in_bytes(sid):
    """The 16 bytes of ids such as CA0bdc…"""
    return pl.col(sid).str.slice(2).str.decode("hex")


def write_day(booked, date, deck, out):
    """Legs and log of a day. Returns the rows of its ids: what is known of each call, and where it
    stands in the log."""
    outward, pstn, is_root, is_second = (
        pl.col("outward"),
        pl.col("pstn"),
        pl.col("c").is_null(),
        pl.col("leg") == 2,
    )
    scenario = pl.concat_str(
        pl.when(outward).then(pl.lit("termination")).otherwise(pl.lit("origination")),
        pl.when(is_root)
        .then(pl.lit(""))
        .when(pstn)
        .then(pl.lit("-to-pstn"))
        .otherwise(pl.lit("-to-sip")),
    )
    who = ("parent_call_sid", "account_sid", "trunk_sid")
    of_day = booked.filter(pl.col("start_time").dt.date() == date).with_columns(
        call_sid="sid",
        scenario=scenario,
        currency=pl.lit(deck.terms["currency"]),
        run_id=pl.lit(rival_books.RUN),
        amount=pl.col("amount").cast(pl.Decimal(18, 8)),
        origin_number=pl.when(is_second)
        .then(pl.when(outward).then("a").otherwise("b"))
        .when(is_root | pstn | ~outward)
        .then("a"),
    )
    legs = of_day.filter(BILLS).select(
        "call_sid",
        *who,
        "scenario",
        "leg",
        service=pl.when(is_second | outward)
        .then(pl.lit("termination"))
        .otherwise(pl.lit("origination")),
        leg_from=pl.when(is_second)
        .then("origin_number")
        .when(~is_root & ~pstn & outward)
        .then("c")
        .otherwise("a"),
        leg_to=pl.when(is_second | ~is_root & ~pstn & ~outward).then("c").otherwise("b"),
        rated_number=pl.when(is_second).then("c").otherwise("b"),
        origin_number="origin_number",
        start_time="start_time",
        duration_seconds=pl.col("duration_seconds").cast(pl.Int64),
        billed_seconds=pl.col("billed_seconds").cast(pl.Int64),
        price_per_minute=pl.col("price_per_minute").cast(pl.Decimal(18, 10)),
        connection_fee=pl.lit(deck.terms["connection_fee"]).cast(pl.Decimal(18, 10)),
        destination_prefix="destination_prefix",
        origin_prefix="origin_prefix",
        description=at(deck.description, "line"),
        deck=pl.lit(deck.terms["name"]),
        deck_file=at(deck.file, "line"),
        deck_line=at(deck.number, "line"),
        currency="currency",
        amount="amount",
        run_id="run_id",
    )
    written(legs, out / f"legs/date={date}/part-0.parquet")

    seconds = of_day.filter(is_second).select("sid", second="amount")
    shown = pl.when(~is_root & outward).then("b").otherwise("a")
    calls = (
        of_day.filter(~is_second)
        .join(seconds, on="sid", how="left", maintain_order="left")
        .select(
            "call_sid",
            *who,
            "scenario",
            "direction",
            "start_time",
            "end_time",
            "status",
            "class",
            "currency",
            "carrier_price",
            "run_id",
            "content",
            role=pl.when(is_root).then(pl.lit("parent")).otherwise(pl.lit("child")),
            **{"from": shown, "to": pl.coalesce("c", "b")},
            caller_id=shown,
            duration_seconds=pl.col("duration_seconds").cast(pl.Int64),
            amount=pl.col("amount").fill_null(0) + pl.col("second").fill_null(0),
        )
        .collect(engine="streaming")
    )
    written(calls.select(LOG), out / f"calls/date={date}/part-0.parquet")
    return calls.with_row_index("row").select(
        "content",
        "carrier_price",
        "row",
        id=in_bytes("call_sid"),
        root=in_bytes("parent_call_sid"),
        date=pl.lit(date),
    )


def whole(source, rates, out):
    rates, out = Path(rates), Path(out)
    deck = Deck(rates)
    for name in ("destination", "admitted_by", "description", "file"):
        setattr(deck, name, getattr(deck, name).replace("", None).cast(pl.Categorical))
    records = read(source)
    calls = one_of_each(records)
    count, repeated = records.height, records.height - calls.height
    del records
    legs = (
        deck.rate(every_leg(families(calls)))
        .drop("rated_number", "origin_number", "service")
        .collect(engine="streaming")
    )
    del calls
    legs = legs.sort("start_time", "sid", "leg")
    # A call is rated whole or not at all.
    unpriced = legs.filter(BILLS & pl.col("price_per_minute").is_null())["sid"]
    if len(unpriced):
        legs = legs.with_columns(
            pl.when(pl.col("sid").is_in(unpriced.implode()))
            .then(pl.lit("suspended"))
            .otherwise(pl.col("class"))
            .alias("class")
        )
    waits = (
        legs.filter(pl.col("leg") == 1, pl.col("class").is_in(["ignored", "suspended"]))
        .group_by("class")
        .len()
        .rows()
    )
    booked = legs.lazy().filter(pl.col("class").is_in(["rated", "free"]))
    dates = booked.select(pl.col("start_time").dt.date().unique().sort()).collect().to_series()
    ids = pl.concat([write_day(booked, date, deck, out) for date in dates])
    del legs, booked
    written(ids.drop("root").sort("id"), out / "ids/part-0.parquet")
    written(
        ids.filter(pl.col("root").is_not_null())
        .select("root", "date", "row")
        .sort("root", "date", "row"),
        out / "ids/children-0.parquet",
    )
    del ids

    def read_back(table, *names):
        return pl.scan_parquet(out / table / "**/*.parquet", hive_partitioning=False).select(names)

    log = (
        read_back("calls", "class", "amount")
        .group_by("class")
        .agg(pl.len(), pl.col("amount").sum())
        .collect(engine="streaming")
    )
    totals = (
        read_back("legs", "account_sid", "amount")
        .group_by("account_sid")
        .agg(pl.len(), pl.col("amount").sum())
        .sort("account_sid")
    )
    found = (
        pl.scan_parquet(out / "ids/part-0.parquet")
        .select(pl.len(), pl.col("id").n_unique().alias("different"))
        .collect(engine="streaming")
    )
    inputs = [source, *sorted(path for path in rates.iterdir() if path.is_file())]
    others = {"duplicate": repeated, **dict(waits)}
    rival_books.publish(
        out,
        inputs,
        count,
        others,
        log.rows(),
        totals.collect(engine="streaming").rows(),
        found.row(0),
    )
