# SPDX-License-Identifier: MIT
"""What a request costs the database, by its own counters, while nobody else asks for anything."""

TIMES = 7


class Cost:
    """COUNTERS: names of the server's status, or what they begin with and a %: then their sum."""

    def __init__(self, s, *counters):
        self.s, self.counters = s, counters
        self.idle = [min(column) for column in zip(*(self._between(lambda: None) for _ in range(TIMES)))]

    def _read(self):
        rows = self.s.sql("SHOW GLOBAL STATUS WHERE " + " OR ".join("Variable_name LIKE '%s'" % c for c in self.counters))
        values = [(row["Variable_name"], int(row["Value"])) for row in rows]
        return [sum(v for name, v in values if name.startswith(c.rstrip("%"))) for c in self.counters]

    def _between(self, what):
        """What happens between two readings of the counters while WHAT is done."""
        before = self._read()
        what()
        return [b - a for a, b in zip(before, self._read())]

    def of(self, request, prepare=lambda: None):
        """The counters of REQUEST, given what PREPARE returns. Both run several times, and the least counts, since a
        beat may fall between two readings; what is prepared once a connection is prepared then."""
        request(prepare())
        seen = []
        for _ in range(TIMES):
            given = prepare()
            seen.append(self._between(lambda: request(given)))
        return [min(column) - idle for column, idle in zip(zip(*seen), self.idle)]
