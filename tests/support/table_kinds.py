"""Small tables in the style of those that are found, each with the same reading in plain pandas, or with what it is refused for."""

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

N = 60  # rows of most
Frame = Any  # a data frame, whose columns pyright takes for more kinds than they are


class Kind(NamedTuple):
    """text: of the file. options: of Table. right: text -> a frame with the column "time" as it stands there and one for each target, in
    the order of the table; or, of a table that is refused, a pattern of what is said. step: what one is said to be. after: the time that
    comes next, as it is written there.
    """

    text: str
    options: dict[str, Any]
    right: Callable[[str], Frame] | str
    step: str = ""
    after: str | None = None
    name: str = "data.csv"


def value(at: int) -> float:
    return round(20 + 8 * np.sin(2 * np.pi * at / 7) + at * 7919 % 13 / 10, 2)


def rows(times: Any, cells: Any, head: str = "time,load") -> str:
    return "\n".join([head, *(f"{time},{cell}" for time, cell in zip(times, cells, strict=True))]) + "\n"


def read(time: str, targets: str | list[str], **options: Any) -> Callable[[str], Frame]:
    """By pandas alone: time stays text."""

    def right(text: str) -> Frame:
        frame = pd.read_csv(io.StringIO(text), dtype={time: str}, **options)
        return frame.rename(columns={time: "time"})[["time", *([targets] if isinstance(targets, str) else targets)]]

    return right


def hours(start: str, count: int = N, freq: str = "h", **options: Any) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=count, freq=freq, **options)


VALUES = [value(at) for at in range(N)]
DAYS = [f"{one:%Y-%m-%d}" for one in hours("2024-01-29", freq="D")]
GOOD = {"target": "load", "time": "time"}


def usgs() -> Kind:
    """waterdata.usgs.gov: comments, then names, then what each column is."""
    head = "# ---- WARNING ----\n# Some of the data, e.g. 'ice', are provisional\n#\nagency_cd\tsite_no\tdatetime\t85_00060\t85_cd\n"
    body = "".join(f"USGS\t01013500\t{day}\t{cell}\tA\n" for day, cell in zip(DAYS, VALUES, strict=True))
    text = head + "5s\t15s\t20d\t14n\t10s\n" + body
    right = read("datetime", "85_00060", sep="\t", skiprows=[0, 1, 2, 4])
    return Kind(text, {"target": "85_00060", "time": "datetime"}, right, "1 day", "2024-03-29", "site.rdb")


def usgs_ice() -> Kind:
    kind = usgs()
    text = kind.text.replace(f"\t{VALUES[4]}\t", "\tIce\t")
    return kind._replace(
        text=text, right=r"column '85_00060', row 10: expected a number, got 'Ice'.*--data\.missing='Ice'", name="ice.txt"
    )


def exchange_days() -> list[str]:
    return [f"{one:%Y-%m-%d}" for one in pd.bdate_range("2024-01-03", periods=N)]


def yfinance() -> Kind:
    """Of yfinance 0.2: three rows of names, and the time called by the third."""
    head = "Price,Close,High,Volume\nTicker,0700.HK,0700.HK,0700.HK\nDate,,,\n"
    text = head + "".join(f"{day},{cell},{cell + 1},1000\n" for day, cell in zip(exchange_days(), VALUES, strict=True))
    right = read("Date", "Close", skiprows=3, names=["Date", "Close", "High", "Volume"])
    return Kind(text, {"target": "Close", "time": "Date"}, right, "1 working day", "2024-03-27")


def yfinance_of_two() -> Kind:
    head = "Price,Close,Close,Volume,Volume\nTicker,AAPL,MSFT,AAPL,MSFT\nDate,,,,\n"
    text = head + "".join(f"{day},{cell},{2 * cell},10,20\n" for day, cell in zip(exchange_days(), VALUES, strict=True))
    right = read("Date", "Close MSFT", skiprows=3, names=["Date", "Close AAPL", "Close MSFT", "a", "b"])
    return Kind(text, {"target": "Close MSFT", "time": "Date"}, right, "1 working day")


def stores() -> str:
    """Kaggle's store sales: a series for each store and family."""
    lines = ["id,date,store_nbr,family,sales,onpromotion"]
    for day in DAYS[:20]:
        for store in (1, 2):
            for family in ("BEVERAGES", "LIQUOR,WINE"):
                lines.append(f'{len(lines) - 1},{day},{store},"{family}",{value(len(lines))},{len(lines) % 2}')
    return "\n".join(lines) + "\n"


def of_stores(text: str) -> Frame:
    frame = pd.read_csv(io.StringIO(text), dtype=str)
    frame["sales"] = frame["sales"].astype(float)
    frame = frame.assign(time=frame["date"]).sort_values(["store_nbr", "family", "date"], kind="stable")
    return frame[["time", "sales"]]


def power() -> Kind:
    """The household power consumption of UCI: semicolons, ? for missing, day and time apart."""
    times = hours("2006-12-30 22:00")
    cells = [f"{cell:.3f};{cell / 100:.3f}" if at % 11 else "?;?" for at, cell in enumerate(VALUES)]
    body = [f"{one.day}/{one.month}/{one.year};{one:%H:%M:%S};{cell}" for one, cell in zip(times, cells, strict=True)]
    text = "\n".join(["Date;Time;Global_active_power;Global_reactive_power", *body]) + "\n"

    def right(text: str) -> Frame:
        frame = pd.read_csv(io.StringIO(text), sep=";", na_values="?")
        return frame.assign(time=frame["Date"] + " " + frame["Time"])[["time", "Global_active_power"]]

    options = {"target": "Global_active_power", "time": ["Date", "Time"], "time_format": "%d/%m/%Y %H:%M:%S"}
    return Kind(text, options, right, "1:00:00", "2/1/2007 10:00:00", "household.txt")


def power_without_format() -> Kind:
    kind = power()
    said = r"row 2: .* got '30/12/2006 22:00:00'.*what reads all rows: --data\.time_format='%d/%m/%Y %H:%M:%S'$"
    return kind._replace(options={"target": "Global_active_power", "time": ["Date", "Time"]}, right=said)


def beijing() -> Kind:
    """Beijing's PM2.5 of UCI: year, month, day and hour apart, NA for missing."""
    times = hours("2010-01-01 22:00")
    cells = ["NA" if at in (3, 4, 20) else int(cell) for at, cell in enumerate(VALUES)]
    pairs = zip(times, cells, strict=True)
    body = [f"{at + 1},{one.year},{one.month},{one.day},{one.hour},{cell}" for at, (one, cell) in enumerate(pairs)]
    text = "\n".join(["No,year,month,day,hour,pm2.5", *body]) + "\n"

    def right(text: str) -> Frame:
        frame = pd.read_csv(io.StringIO(text))
        time = frame[["year", "month", "day", "hour"]].astype(str).agg(" ".join, axis=1)
        return frame.assign(time=time)[["time", "pm2.5"]]

    return Kind(text, {"target": "pm2.5", "time": ["year", "month", "day", "hour"]}, right, "1:00:00", "2010 1 4 10")


def silso() -> Kind:
    """The monthly sunspots of SILSO: semicolons, padded with blanks, and no names."""
    body = [
        f"{1749 + at // 12};{at % 12 + 1:02d};{1749 + (at + 0.5) / 12:.3f};{cell:6.1f}; -1.0;   -1;1"
        for at, cell in enumerate(VALUES)
    ]
    right = read("time", "n", sep=";", names=["y", "m", "time", "n", "s", "o", "d"])
    return Kind("\n".join(body) + "\n", {"target": "4", "time": "3"}, right, "about 0.083", "1754.041")


def no_names() -> Kind:
    right = read("time", "load", names=["time", "load"])
    return Kind("".join(f"{at},{cell}\n" for at, cell in enumerate(VALUES)), {"target": "2", "time": "1"}, right, "1", "60")


def oni() -> Kind:
    """NOAA's index of El Niño: columns parted by blanks."""
    seasons = ["DJF", "JFM", "FMA", "MAM", "AMJ", "MJJ", "JJA", "JAS", "ASO", "SON", "OND", "NDJ"]
    body = [f" {seasons[at % 12]}  {1950 + at // 12}  {20 + cell:6.2f}  {cell - 20:5.2f}" for at, cell in enumerate(VALUES)]
    right = read("YR", "ANOM", sep=r"\s+")
    text = "\n".join([" SEAS  YR   TOTAL   ANOM", *body]) + "\n"
    return Kind(text, {"target": "ANOM"}, lambda text: right(text)[["ANOM"]], "1 row", name="oni.ascii.txt")


def investing() -> Kind:
    """investing.com: the last day first, numbers in quotation marks, volumes in thousands and millions, - for missing."""
    days = pd.bdate_range("2024-01-03", periods=N)[::-1]
    volume = [f"{cell / 10:.2f}M" if at % 5 else f"{cell * 10:.1f}K" for at, cell in enumerate(VALUES)]
    volume[7] = "-"
    body = [
        f'"{day:%b %d, %Y}","{2000 + 50 * cell:,.2f}","{many}","{cell - 20:.2f}%"'
        for day, cell, many in zip(days, VALUES, volume, strict=True)
    ]
    text = "\n".join(['"Date","Price","Vol.","Change %"', *body]) + "\n"

    def right(text: str) -> Frame:
        frame = pd.read_csv(io.StringIO(text), thousands=",", na_values="-")[::-1].rename(columns={"Date": "time"})
        times = {"K": 1e3, "M": 1e6}
        frame["Vol."] = frame["Vol."].map(lambda cell: float(cell[:-1]) * times[cell[-1]] if isinstance(cell, str) else np.nan)
        frame["Change %"] = frame["Change %"].str.rstrip("%").astype(float)
        return frame[["time", "Price", "Vol.", "Change %"]]

    options = {"target": ["Price", "Vol.", "Change %"], "time": "Date", "time_format": "%b %d, %Y", "missing": "-"}
    return Kind(text, options, right, "1 working day", "Mar 27, 2024")


def investing_without_missing() -> Kind:
    kind = investing()
    options = {"target": "Vol.", "time": "Date", "time_format": "%b %d, %Y"}
    return kind._replace(options=options, right=r"column 'Vol\.', row 9: expected a number, got '-'.*--data\.missing='-'$")


def investing_without_format() -> Kind:
    kind = investing()
    said = r"column 'Date', row 2: .*--data\.time_format='%b %d, %Y'$"
    return kind._replace(options={"target": "Price", "time": "Date"}, right=said)


def excel() -> Kind:
    """A German Excel: semicolons, 1.234,56, and the day first."""
    days = hours("2024-01-20", freq="D")
    german = str.maketrans(",.", ".,")
    body = [f"{day:%d.%m.%Y};{f'{100 * cell:,.2f}'.translate(german)}" for day, cell in zip(days, VALUES, strict=True)]
    text = "\r\n".join(["Datum;Umsatz", *body]) + "\r\n"
    right = read("Datum", "Umsatz", sep=";", decimal=",", thousands=".")
    options = {"target": "Umsatz", "time": "Datum", "time_format": "%d.%m.%Y"}
    return Kind("\ufeff" + text, options, lambda text: right(text.removeprefix("\ufeff")), "1 day", "20.03.2024")


def thousands(*cells: str) -> str:
    return rows(range(len(cells)), [f'"{cell}"' for cell in cells])


def ghcn(cell: object = -9999) -> str:
    """Days of a weather station of GHCN, with -9999 for missing."""
    return rows(DAYS, [cell if at in (5, 6, 30) else one for at, one in enumerate(VALUES)], "DATE,TMAX")


def mauna_loa() -> Kind:
    """NOAA's CO₂ of Mauna Loa: comments, then names; year and month apart; the decimals of a missing number."""
    body = [
        f"{1958 + (at + 2) // 12},{(at + 2) % 12 + 1},{300 + cell},{'-99.99' if at == 3 else cell}"
        for at, cell in enumerate(VALUES)
    ]
    text = "\n".join(["# Use of these data", "# implies, an agreement", "year,month,average,sdev", *body]) + "\n"

    def right(text: str) -> Frame:
        frame = pd.read_csv(io.StringIO(text), comment="#")
        return frame.assign(time=frame[["year", "month"]].astype(str).agg(" ".join, axis=1))[["time", "average"]]

    return Kind(text, {"target": "average", "time": ["year", "month"]}, right, "1 month", "1963 3")


def savetxt() -> Kind:
    """As numpy.savetxt(header="t load") writes it."""
    file = io.StringIO()
    np.savetxt(file, np.column_stack([np.arange(N) / 4, VALUES]), header="t load", fmt="%.4f")
    right = read("t", "load", sep=r"\s+", skiprows=1, names=["t", "load"])
    return Kind(file.getvalue(), {"target": "load", "time": "t"}, right, "0.25", "15.0000", "saved.dat")


def jitter() -> Kind:
    """A sensor that is some seconds early or late."""
    late = np.random.default_rng(0).integers(-8, 9, N)
    times = hours("2024-05-01 00:00:10", freq="10min") + pd.to_timedelta(late, unit="s")
    keep = [at for at in range(N) if at not in (20, 21)]
    text = rows([times[at] for at in keep], [VALUES[at] for at in keep])
    return Kind(text, GOOD, read("time", "load"), "about 0:10:00")


def summer_time_ends() -> tuple[str, pd.DatetimeIndex]:
    """A grid's load by the clocks of Berlin: on 27 October 2024 the hour from 2:00 comes twice."""
    times = hours("2024-10-26", freq="15min", count=200, tz="Europe/Berlin")
    return rows([f"{one:%Y-%m-%d %H:%M}" for one in times], [value(at) for at in range(200)]), times


def shop(closed: tuple[int, ...], count: int = N) -> list[str]:
    days = [one for one in hours("2024-01-02", count=2 * count, freq="D") if one.weekday() not in closed]
    return [f"{one:%Y-%m-%d}" for one in days[:count]]


def opening_hours() -> str:
    times = [one for one in hours("2024-01-01", count=400) if 9 <= one.hour < 17 and one.weekday() < 5]
    return rows([f"{one:%Y-%m-%d %H:%M}" for one in times], [value(at) for at in range(len(times))])


def fred() -> str:
    """FRED: a point where a value is missing."""
    months = [f"{one:%Y-%m-%d}" for one in hours("2020-01-01", freq="MS")]
    return rows(months, ["." if at in (4, 9) else one for at, one in enumerate(VALUES)], "DATE,UNRATE")


def offsets() -> Kind:
    """Open power system data: local time with its distance from UTC, over the end of summer time."""
    times = hours("2024-10-26 12:00", tz="Europe/Berlin")
    text = rows([f"{one:%Y-%m-%dT%H:%M:%S%z}" for one in times], VALUES, "cet_cest_timestamp,load")
    right = read("cet_cest_timestamp", "load")
    return Kind(text, {"target": "load", "time": "cet_cest_timestamp"}, right, "1:00:00", "2024-10-28T23:00:00+0100")


def days_by_the_clock() -> Kind:
    """Days at midnight where they are: one of them has 25 hours."""
    times = hours("2024-10-01", freq="D", tz="Europe/Berlin")
    return Kind(
        rows([one.isoformat() for one in times], VALUES), GOOD, read("time", "load"), "1 day", "2024-11-30T00:00:00+01:00"
    )


def labels() -> Kind:
    text = rows(DAYS, [f"{('rain', 'sun', 'fog')[at % 3]},{cell}" for at, cell in enumerate(VALUES)], "date,weather,temp_max")
    said = r"column 'weather', row 2: expected a number, got 'rain'.*labels.*--data\.target.*temp_max$"
    return Kind(text, {"target": "weather", "time": "date"}, said)


def two_targets() -> Kind:
    text = rows(DAYS, [f"{cell},{2 * cell + at}" for at, cell in enumerate(VALUES)], "date,Open,Close")
    return Kind(text, {"target": ["Close", "Open"], "time": "date"}, read("date", ["Close", "Open"]), "1 day", "2024-03-29")


CLOCKS, _ = summer_time_ends()
KINDS: dict[str, Kind] = {
    "USGS: comments and a row of units": usgs(),
    "USGS: ice": usgs_ice(),
    "yfinance: three rows of names": yfinance(),
    "yfinance: two tickers": yfinance_of_two(),
    "stores: two keys": Kind(
        stores(), {"target": "sales", "time": "date", "series": ["store_nbr", "family"]}, of_stores, "1 day", "2024-02-18"
    ),
    "stores: keys not given": Kind(
        stores(),
        {"target": "sales", "time": "date"},
        r"got '2024-01-29' in row 2 and row 3.*--data\.series='\[store_nbr, family\]'",
    ),
    "opening hours: windows of 40": Kind(
        opening_hours(), GOOD, r"windows of 40 steps.*longest stretch has 8;.*--data\.step=rows if the time behind row 9 "
    ),
    "opening hours: rows": Kind(opening_hours(), GOOD | {"step": "rows"}, read("time", "load"), "1 row"),
    "a shop, Monday to Saturday": Kind(
        rows(shop((6,)), VALUES), GOOD, read("time", "load"), "1 day, of Mon, Tue, Wed, Thu, Fri, Sat", "2024-03-12"
    ),
    "an exchange, Sunday to Thursday": Kind(
        rows(shop((4, 5)), VALUES), GOOD, read("time", "load"), "1 day, of Mon, Tue, Wed, Thu, Sun", "2024-03-26"
    ),
    "UCI power: day and time apart, ?": power(),
    "UCI power: time_format not given": power_without_format(),
    "Beijing PM2.5: year, month, day, hour": beijing(),
    "SILSO: semicolons, no names": silso(),
    "no names": no_names(),
    "no names: place or name": Kind(
        "2,1\n" + no_names().text,
        {"target": "2"},
        r"row 1 \(2, 1\) may be names or numbers.*--data\.header=1 .*--data\.header=0",
    ),
    "ONI: blanks": oni(),
    "investing.com: 2,386.40, 1.01M, 0.35%": investing(),
    "investing.com: missing not given": investing_without_missing(),
    "investing.com: time_format not given": investing_without_format(),
    "German Excel: 1.234,56": excel(),
    "1,234 among 987 and 1,020": Kind(
        thousands("1,234", "987", "1,020", *["950", "1,001"] * 20),
        GOOD | {"time": None},
        lambda text: read("time", "load", thousands=",")(text)[["load"]],
    ),
    "1,234 alone": Kind(
        thousands(*["1,234", "2,345"] * 20),
        GOOD,
        r"column 'load', row 2: .*1234 or 1\.234: give --data\.decimal='\.' if it is 1234",
    ),
    "1,234 alone: decimal given": Kind(
        thousands(*["1,234", "2,345"] * 20), GOOD | {"decimal": "."}, read("time", "load", thousands=",")
    ),
    "GHCN: -9999": Kind(
        ghcn(),
        {"target": "TMAX", "time": "DATE"},
        r"column 'TMAX', row 7: got -9999 .*3 rows: 7, 8, 32: give --data\.missing=-9999",
    ),
    "GHCN: missing given": Kind(
        ghcn("-9999.0"), {"target": "TMAX", "time": "DATE", "missing": -9999}, read("DATE", "TMAX", na_values=-9999), "1 day"
    ),
    "Mauna Loa: comments, year and month": mauna_loa(),
    "Mauna Loa: -99.99": mauna_loa()._replace(
        options={"target": "sdev", "time": ["year", "month"]},
        right=r"column 'sdev', row 7: got -99\.99 .*--data\.missing=-99\.99",
    ),
    "numpy.savetxt": savetxt(),
    "R's write.table: row names without a name": Kind(
        '"year" "load"\n' + "".join(f'"{at + 1}" {1900 + at} {cell}\n' for at, cell in enumerate(VALUES)),
        GOOD | {"time": "year"},
        read("year", "load", sep=" "),
        "1",
        "1960",
        "data.txt",
    ),
    "24:00": Kind(
        rows([f"2024-01-{29 + at // 24} {1 + at % 24:02d}:00" for at in range(N)], VALUES),
        GOOD,
        r"row 25: .*got '2024-01-29 24:00'; so in 2 rows: 25, 49; 24:00 is 00:00 of the next day: .*leave out --data\.time",
    ),
    "a sensor some seconds off": jitter(),
    "the hour that comes twice": Kind(
        CLOCKS, GOOD, r"got '2024-10-27 02:00' in row 106 and row 110, and 3 more such; give --data\.zone=Europe/Berlin"
    ),
    "the hour that comes twice: zone given": Kind(
        CLOCKS, GOOD | {"zone": "Europe/Berlin"}, read("time", "load"), "0:15:00", "2024-10-28 01:00"
    ),
    "YYYYMM": Kind(
        rows([f"{one:%Y%m}" for one in hours("2020-01-01", freq="MS")], VALUES), GOOD, read("time", "load"), "1 month", "202501"
    ),
    "FRED: a point": Kind(
        fred(),
        {"target": "UNRATE", "time": "DATE"},
        r"column 'UNRATE', row 6: expected a number, got '\.'.*--data\.missing='\.'$",
    ),
    "FRED: missing given": Kind(
        fred(),
        {"target": "UNRATE", "time": "DATE", "missing": "."},
        read("DATE", "UNRATE", na_values="."),
        "1 month",
        "2025-01-01",
    ),
    "offsets, summer time ends": offsets(),
    "days by the clock": days_by_the_clock(),
    "labels": labels(),
    "two targets": two_targets(),
    "a row twice": Kind(
        rows([*DAYS[:30], *DAYS[28:]], [*VALUES[:30], *VALUES[28:]]),
        GOOD,
        r"got '2024-02-26' in row 30 and row 32, and 1 more such; give no --data\.time if",
    ),
    "a time between two": Kind(
        rows([*hours("2024-01-01")[:30], "2024-01-02 05:30:00", *hours("2024-01-02 06:00")[:29]], VALUES),
        GOOD,
        r"row 32: expected a whole number of steps of 1:00:00 .* got '2024-01-02 05:30:00'.*--data\.step=rows",
    ),
    "seconds since 1970": Kind(
        rows(range(1_700_000_003, 1_700_000_003 + 3600 * N, 3600), VALUES), GOOD, read("time", "load"), "3600", "1700216003"
    ),
    "quarters": Kind(
        rows([f"{one.year}-Q{one.quarter}" for one in hours("2000-01-01", freq="QS")], VALUES),
        GOOD,
        read("time", "load"),
        "3 months",
        "2015-Q1",
    ),
    "weeks": Kind(
        rows([f"{one:%G-W%V}" for one in hours("2024-01-01", freq="7D")], VALUES),
        GOOD,
        read("time", "load"),
        "7 days",
        "2025-W09",
    ),
    "months of the IMF: time_format not given": Kind(
        rows([f"{one:%YM%m}" for one in hours("2000-01-01", freq="MS")], VALUES), GOOD, r"row 2: .*--data\.time_format='%YM%m'$"
    ),
    "Excel: sep=": Kind(
        "sep=;\n" + rows(DAYS, [f"{cell};1" for cell in VALUES], "time,load,one").replace(",", ";"),
        GOOD,
        read("time", "load", sep=";", skiprows=1),
        "1 day",
    ),
    "decimal commas alone": Kind(
        "\n".join(["load", *(f"{cell:.2f}".replace(".", ",") for cell in VALUES)]),
        GOOD | {"time": None},
        r"Expected 1 fields in line 2, saw 2; if the comma parts decimals: give another --data\.separator",
    ),
    "a % here and there": Kind(
        rows(DAYS, [f"{cell}%" if at % 9 == 4 else cell for at, cell in enumerate(VALUES)]),
        GOOD,
        r"column 'load', row 6: expected a number, got '[\d.]+%'; so in 7 rows: .*; numbers are written as .*% in all rows or in none",
    ),
    "bars": Kind(rows(DAYS, VALUES).replace(",", "|"), GOOD, read("time", "load", sep="|"), "1 day", "2024-03-29", "data.txt"),
}
