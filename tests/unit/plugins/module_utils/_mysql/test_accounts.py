# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.account_patterns import (
    Pattern,
    Selection,
    host_admits,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    Account,
    AccountState,
    Requirement,
    quote,
    quote_account,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.in_memory import (
    parse_requirement,
    shows_requirement,
)
from hypothesis import example, given
from hypothesis import strategies as st

DEFAULT = Dialect("mysql", "9.7.4", {})
NO_ESCAPES = Dialect("mysql", "9.7.4", {"sql_mode": "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"})


def state(user: str, host: str = "%", is_role: bool = False, on_aws: bool = False) -> AccountState:
    requirement = Requirement()
    return AccountState(Account(user, host), requirement, "mysql_native_password", False, is_role, on_aws)


@pytest.mark.parametrize(
    ("pattern", "user", "host", "matches"),
    [
        ("app@%", "app", "%", True),
        ("app@%", "app", "10.0.0.1", False),
        ("app@*", "app", "10.0.0.1", True),
        ("app", "app", "10.0.0.1", True),
        ("app_*@%", "app_1", "%", True),
        ("app_*@%", "appx1", "%", False),
        ("App@%", "app", "%", False),
        ("app@DB.Example", "app", "db.example", True),
        ("a@b@%", "a@b", "%", True),
        ("*@10.1.*", "x", "10.1.2.3", True),
        ("*@10.1.*", "x", "10x1.2.3", False),
        ("a?@%", "ab", "%", False),
        # As a list in a text has them after its commas.
        (" app@% ", "app", "%", True),
        ("my app@%", "my app", "%", True),
        ("' app'@'%'", " app", "%", True),
        ("o'brien@%", "o'brien", "%", True),
    ],
)
def test_pattern(pattern: str, user: str, host: str, matches: bool) -> None:
    assert Pattern.parse(pattern, "accounts").matches(Account(user, host)) is matches


def test_many_wildcards_are_one() -> None:
    """Forty, each of which may stand for any part of a name, would be tried for minutes."""
    pattern = Pattern.parse("*" * 40 + "x@%", "exclude")
    assert pattern.matches(Account("a" * 31 + "x", "%"))
    assert not pattern.matches(Account("a" * 32, "%"))


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "app@", "app@%, adm@%", "app@%,adm@%", "app@* adm@%", "app@%\nadm@%", "app\nadm", "app, adm"),
        *("app@'%'", "'app'@%", '"app@%"', "app@% ;", "'app'@'%', 'adm'@'%'"),
    ],
)
def test_a_pattern_without_an_account_names_the_option(text: str) -> None:
    with pytest.raises(OptionError, match=r"^exclude: "):
        Pattern.parse(text, "exclude")


def test_roles_and_system_accounts_never_match_unless_asked() -> None:
    everything = Selection()
    assert everything.includes(state("app"))
    assert not everything.includes(state("a_role", is_role=True))
    assert not everything.includes(state("mysql.session"))
    for name in ("rdsadmin", "rdstopmgr", "AWS_LAMBDA_ACCESS"):
        assert not everything.includes(state(name, on_aws=True))
        assert Selection(include_system=True).includes(state(name, on_aws=True))
        # On a server that is not AWS's it is a person's.
        assert everything.includes(state(name))
    assert not Selection(include_system=True).includes(state("PUBLIC", "", is_role=True))


def test_a_user_without_a_host_means_every_host() -> None:
    assert Selection(user="db_root").includes(state("db_root", "10.0.0.1"))
    assert not Selection(user="db_root", host="%").includes(state("db_root", "10.0.0.1"))
    assert not Selection(user="db*").includes(state("db_root"))
    assert not Selection(user="db_root", exclude=(Pattern.parse("*@10.*", "exclude"),)).includes(
        state("db_root", "10.0.0.1")
    )


@pytest.mark.parametrize(
    ("account_host", "client", "admits"),
    [
        ("%", "10.0.0.1", True),
        ("10.0.0.%", "10.0.0.7", True),
        ("10.0.0.%", "10.0.1.7", False),
        ("10.0.0._", "10.0.0.7", True),
        ("10.0.0._", "10.0.0.77", False),
        ("10.0.0.0/255.255.255.0", "10.0.0.9", True),
        ("10.0.0.0/255.255.255.0", "10.0.1.9", False),
        ("DB.example", "db.EXAMPLE", True),
        ("10.0.0.1", "10a0.0.1", False),
        ("10.0.0.0/24", "10.0.0.255", True),
        ("10.0.0.0/24", "db.example", False),
        ("fd00::/8", "fd00::1", True),
        ("10.0.0.0/no mask", "10.0.0.0", False),
        ("10.0.0.5/255.255.255.0", "10.0.0.5", False),
        ("10.0.0.5/255.255.255.255", "10.0.0.5", True),
        ("10.0.0.5/255.0.255.255", "10.9.0.5", True),
        ("10.0.0.5/255.0.255.255", "10.9.1.5", False),
        ("10.0.0.5/24", "10.0.0.5", False),
        ("10.0.0.0/33", "10.0.0.0", False),
        ("10.0.0.%/255.255.255.0", "10.0.0.5", False),
        ("fd00::/8", "10.0.0.1", False),
        ("db\\_1.example", "db_1.example", True),
        ("db\\_1.example", "dbx1.example", False),
        ("100\\%.example", "100x.example", False),
        ("(db|%", "(db|1", True),
        ("db.*", "db.example", False),
        ("", "10.0.0.1", False),
    ],
)
def test_host_admits(account_host: str, client: str, admits: bool) -> None:
    assert host_admits(account_host, client) is admits


@pytest.mark.parametrize(
    ("statement", "requirement"),
    [
        (
            "CREATE USER `a`@`%` IDENTIFIED WITH 'caching_sha2_password' AS '$A$5$x' REQUIRE NONE PASSWORD EXPIRE",
            "NONE",
        ),
        ("CREATE USER `a`@`%` IDENTIFIED WITH 'p' AS 'x' REQUIRE SSL PASSWORD EXPIRE DEFAULT", "ANY"),
        ("CREATE USER `a`@`%` IDENTIFIED BY PASSWORD '*00' REQUIRE X509", "X509"),
        ("CREATE USER `REQUIRE SSL`@`%`", "NONE"),
        ("CREATE USER `a``REQUIRE SSL`@`%`", "NONE"),
        ("CREATE USER 'a'' REQUIRE SSL'@'%' IDENTIFIED WITH 'p' AS '\\' REQUIRE SSL' REQUIRE X509", "X509"),
        ("GRANT USAGE ON *.* TO 'a'@'%' IDENTIFIED BY PASSWORD '*00' REQUIRE SSL WITH GRANT OPTION", "ANY"),
        ("GRANT ALL PRIVILEGES ON *.* TO 'a'@'%' IDENTIFIED BY PASSWORD '*00'", "NONE"),
        ("", "NONE"),
        ("CREATE USER 'unfinished", "NONE"),
    ],
)
def test_parse_requirement(statement: str, requirement: str) -> None:
    assert parse_requirement(statement) == Requirement(requirement)


def test_parse_requirement_with_its_parts() -> None:
    statement = (
        "CREATE USER `a`@`%` REQUIRE ISSUER '/CN=it''s \\\\ CIPHER x' AND SUBJECT '/O=SUBJECT/CN=b' CIPHER 'c' PASSWORD"
    )
    assert parse_requirement(statement) == Requirement(
        "SPECIFIED", cipher="c", issuer="/CN=it's \\ CIPHER x", subject="/O=SUBJECT/CN=b"
    )


def test_quoting_leaves_nothing_to_close_the_literal() -> None:
    assert quote("it's", DEFAULT) == "'it''s'"
    assert quote("back\\slash", DEFAULT) == "'back\\\\slash'"
    assert quote("back\\slash", NO_ESCAPES) == "'back\\slash'"
    assert quote_account(Account("o'brien\\", "%"), DEFAULT) == "'o''brien\\\\'@'%'"


def read_literal(statement: str, backslash_escapes: bool) -> tuple[str, str]:
    """The value of the string literal that a statement begins with, and what comes after it, as a server reads them.

    Source: "String Literals", MySQL Reference Manual.
    """
    assert statement[0] == "'"
    value, position = "", 1
    while True:
        character = statement[position]
        if character == "'":
            if statement[position + 1 : position + 2] != "'":
                return value, statement[position + 1 :]
            position += 1
        elif character == "\\" and backslash_escapes:
            position += 1
            character = statement[position]
            character = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}.get(character, character)
        value += character
        position += 1


@given(st.text(), st.text(alphabet="'\\\"@ ;-#%_nZ0`\0\n\u00e9\u2019"))
@example("\\", "'")
@example("' OR 1=1 -- ", "\\'")
def test_a_server_reads_quoted_names_as_they_were(user: str, host: str) -> None:
    for dialect, backslash_escapes in ((DEFAULT, True), (NO_ESCAPES, False)):
        statement = quote_account(Account(user, host), dialect) + " REQUIRE SSL"
        read_user, rest = read_literal(statement, backslash_escapes)
        assert rest[0] == "@"
        read_host, rest = read_literal(rest[1:], backslash_escapes)
        assert (read_user, read_host, rest) == (user, host, " REQUIRE SSL")


@given(st.text(min_size=1))
def test_a_name_without_a_wildcard_is_a_pattern_of_itself_only(user: str) -> None:
    literal = user.replace("*", "+")
    quoted = literal.replace("'", "''")
    pattern = Pattern.parse(f"'{quoted}'@'%'", "accounts")
    assert pattern.matches(Account(literal, "%"))
    assert not pattern.matches(Account(literal + "x", "%"))
    assert not pattern.matches(Account("x" + literal, "%"))


def test_levels_are_in_order() -> None:
    assert [Requirement(kind).level for kind in ("NONE", "ANY", "X509", "SPECIFIED")] == [0, 1, 2, 3]


HASH = "IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$x\\' REQUIRE SSL'"


@pytest.mark.parametrize(
    ("statement", "requirement", "shown"),
    [
        # As MySQL 9.7, MariaDB 10.5 and 11.8, and MySQL 5.6 answer.
        (f"CREATE USER `a`@`%` {HASH} REQUIRE NONE PASSWORD REQUIRE CURRENT DEFAULT", Requirement(), True),
        (f"CREATE USER `a`@`%` {HASH} REQUIRE SSL PASSWORD REQUIRE CURRENT DEFAULT", Requirement("ANY"), True),
        (f"CREATE USER `a`@`%` {HASH} REQUIRE NONE PASSWORD REQUIRE CURRENT DEFAULT", Requirement("ANY"), False),
        ("CREATE USER `a`@`%` IDENTIFIED BY PASSWORD '*AB'", Requirement(), True),
        ("CREATE USER `a`@`%` IDENTIFIED BY PASSWORD '*AB' REQUIRE X509", Requirement("X509"), True),
        ("CREATE USER `a`@`%` IDENTIFIED BY PASSWORD '*AB' REQUIRE X509", Requirement("ANY"), False),
        ("GRANT USAGE ON *.* TO 'a'@'%' IDENTIFIED BY PASSWORD '*AB' REQUIRE SSL", Requirement("ANY"), True),
        ("GRANT USAGE ON *.* TO 'a'@'%' REQUIRE SSL WITH GRANT OPTION", Requirement("ANY"), True),
        # Which are not escaped, but for MariaDB 11.8.
        ("CREATE USER `a`@`%` REQUIRE SUBJECT '/CN=it's'", Requirement("SPECIFIED", subject="/CN=it's"), True),
        ("CREATE USER `a`@`%` REQUIRE SUBJECT '/CN=it''s'", Requirement("SPECIFIED", subject="/CN=it's"), True),
        ("CREATE USER `a`@`%` REQUIRE SUBJECT 's' CIPHER 'c'", Requirement("SPECIFIED", subject="s", cipher="c"), True),
        ("CREATE USER `a`@`%` REQUIRE CIPHER 'c' SUBJECT 's'", Requirement("SPECIFIED", subject="s", cipher="c"), True),
        ("CREATE USER `a`@`%` REQUIRE SUBJECT 's' CIPHER 'c'", Requirement("SPECIFIED", subject="s"), False),
        ("CREATE USER `a`@`%` REQUIRE SUBJECT 'other'", Requirement("SPECIFIED", subject="s"), False),
        ("CREATE USER `a`@`%` REQUIRE NONE", Requirement("SPECIFIED", subject="s"), False),
        # About somebody else, or nothing that can be read.
        ("CREATE USER `b`@`%` REQUIRE SSL", Requirement("ANY"), None),
        ("", Requirement("ANY"), None),
    ],
)
def test_what_a_server_has_in_memory(statement: str, requirement: Requirement, shown: bool | None) -> None:
    assert shows_requirement(statement, Account("a", "%"), requirement) is shown


@pytest.mark.parametrize("user", ["it's", "a`b", 'a"b', "x' REQUIRE SSL", "a\\b"])
def test_an_account_is_found_however_it_is_quoted(user: str) -> None:
    """And what is in its name is no requirement."""
    for shown in (
        f"'{user}'@'%'",
        "`{}`@`%`".format(user.replace("`", "``")),
        "'{}'@'%'".format(user.replace("'", "''")),
    ):
        for clause, required in (("REQUIRE SSL", True), ("REQUIRE NONE", False)):
            statement = f"CREATE USER {shown} IDENTIFIED BY PASSWORD '*AB' {clause}"
            assert shows_requirement(statement, Account(user, "%"), Requirement("ANY")) is required
