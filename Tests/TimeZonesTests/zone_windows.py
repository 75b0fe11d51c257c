"""Prints calendar windows of random zones and instants, found by asking zoneinfo what the clock shows.

Usage: zone_windows.py SEED COUNT [ZONE UNIT FIRST_DAY ISO_INSTANT]

COUNT of each unit, a line each: zone, unit, first day, instant, first and last millisecond of its
window. The definitions are the words of the project's README, taken literally: no table of
transitions is used, and none is built.
"""

import functools
import random
import sys
import zoneinfo
from datetime import date, datetime, timedelta, timezone

UNITS = ["hour", "day", "week", "month", "quarter", "year"]
EPOCH = date(1970, 1, 1)
YEAR_1850 = -3_786_825_600
YEAR_2099 = 4_070_908_800


@functools.lru_cache(maxsize=None)
def zone_named(name):
    return zoneinfo.ZoneInfo(name)


def clock(zone, second):
    """What the clock shows at a second since 1970."""
    return datetime.fromtimestamp(second, zone)


def offset(zone, second):
    return clock(zone, second).utcoffset()


def first(zone, holds, low, high, width=3_600):
    """The first second past `low` at which `holds` does, up to `high`.

    While the offset is the same, what holds at the end of a stretch began in it once. A stretch in
    which the offset changes is cut, and at last tried second by second.
    """
    for begin in range(low, high, width):
        end = min(begin + width, high)
        if width > 1 and offset(zone, begin) != offset(zone, end):
            found = first(zone, holds, begin, end, 900 if width > 900 else 1)
            if found is not None:
                return found
        elif holds(end):
            while end - begin > 1:
                middle = (begin + end) // 2
                begin, end = (begin, middle) if holds(middle) else (middle, end)
            return end
    return None


@functools.lru_cache(maxsize=4_096)
def first_instant(name, day):
    """When the local date is `day` or a later one for the first time."""
    zone = zone_named(name)
    midnight = (day - EPOCH).days * 86_400
    found = first(
        zone,
        lambda second: clock(zone, second).date() >= day,
        midnight - 30 * 3_600,
        midnight + 30 * 3_600,
    )
    assert found is not None, (name, day)
    return found


def is_border(unit, first_day, day):
    """Whether a window of the unit begins with that date."""
    if unit == "day":
        return True
    if unit == "week":
        return day.isoweekday() == first_day
    months = {"month": range(1, 13), "quarter": (1, 4, 7, 10), "year": (1,)}[unit]
    return day.day == first_day and day.month in months


def window_of_dates(name, unit, first_day, second):
    day = clock(zone_named(name), second).date() + timedelta(days=2)
    step = timedelta(days=1)
    while not (is_border(unit, first_day, day) and first_instant(name, day) <= second):
        day -= step
    start = first_instant(name, day)
    while not (is_border(unit, first_day, day) and first_instant(name, day) > second):
        day += step
    return start, first_instant(name, day)


def begins_hour(zone, second):
    """Whether the clock shows a full hour, or is in another hour than a second ago."""
    now, before = clock(zone, second), clock(zone, second - 1)
    return (now.minute, now.second) == (0, 0) or (now.date(), now.hour) != (
        before.date(),
        before.hour,
    )


def window_of_hours(name, second):
    zone = zone_named(name)
    marks = range(second - 7_200, second + 7_201, 300)
    if len({offset(zone, mark) for mark in marks}) == 1:
        shown = clock(zone, second)
        start = second - shown.minute * 60 - shown.second
        assert begins_hour(zone, start)
        return start, start + 3_600
    start, end = second, second + 1
    while not begins_hour(zone, start):
        start -= 1
    while not begins_hour(zone, end):
        end += 1
    return start, end


def window(name, unit, first_day, instant):
    second = instant // 1_000
    if unit == "hour":
        start, end = window_of_hours(name, second)
    else:
        start, end = window_of_dates(name, unit, first_day, second)
    return start * 1_000, end * 1_000 - 1


def change_after(zone, second):
    """The next second with another offset, if there is one within two years."""
    week = 7 * 86_400
    for _ in range(104):
        if offset(zone, second) != offset(zone, second + week):
            low, high = second, second + week
            while high - low > 1:
                middle = (low + high) // 2
                same = offset(zone, middle) == offset(zone, low)
                low, high = (middle, high) if same else (low, middle)
            return high
        second += week
    return None


def instant_of(zone, source):
    """Half of them near a change of the clock, if there are any."""
    earliest = YEAR_1850 if source.random() < 0.3 else 0
    second = source.randrange(earliest, YEAR_2099)
    if source.random() < 0.5:
        change = change_after(zone, second)
        if change is not None:
            away = source.choice([0, 1, 7_200_000, 30 * 3_600_000])
            return change * 1_000 + source.randint(-away, away)
    return second * 1_000 + source.randrange(1_000)


def main(seed, count):
    source = random.Random(seed)
    names = sorted(zoneinfo.available_timezones() - {"localtime"})
    for unit in UNITS:
        for _ in range(count):
            name = source.choice(names)
            first_day = {"hour": 1, "day": 1, "week": source.randint(1, 7)}.get(
                unit, source.choice([1, source.randint(1, 28)])
            )
            instant = instant_of(zone_named(name), source)
            start, end = window(name, unit, first_day, instant)
            # Borders are where mistakes are.
            instant = source.choice([instant, instant, instant, start, end])
            print(name, unit, first_day, instant, start, end)


def one(name, unit, first_day, text):
    instant = int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1_000)
    for border in window(name, unit, int(first_day), instant):
        moment = datetime.fromtimestamp(border // 1_000, timezone.utc)
        print(f"{moment:%Y-%m-%dT%H:%M:%S}.{border % 1_000:03}Z", end=" ")
    print()


if __name__ == "__main__":
    if len(sys.argv) > 3:
        one(*sys.argv[3:])
    else:
        main(int(sys.argv[1]), int(sys.argv[2]))
