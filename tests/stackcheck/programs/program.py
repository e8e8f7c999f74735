# SPDX-License-Identifier: Apache-2.0
"""Recursion, and extensions that call back into Python, for ever."""
import decimal
import functools
import json
import re
import sqlite3
import zlib

db = sqlite3.connect(":memory:")
db.execute("create table t (a, b)")
db.create_function("f", 1, lambda x: json.dumps({"x": x}))


def compare(x, y):
    return (x > y) - (x < y)


def deep(n, d):
    d[n] = [re.sub(r"(\d+)", lambda m: str(int(m[1]) * 2), f"a{i}b{i}") for i in range(10)]
    if n:
        return deep(n - 1, d)
    db.execute("delete from t")
    db.executemany("insert into t values (?, ?)", [(i, str(i) * 9) for i in range(50)])
    rows = list(db.execute("select f(a), b from t order by b desc"))
    text = zlib.decompress(zlib.compress(json.dumps(rows).encode()))
    return json.loads(text), sorted(rows, key=functools.cmp_to_key(compare)), decimal.Decimal(2).sqrt()


while True:
    deep(12, {})
