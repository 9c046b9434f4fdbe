# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._bundle import check
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates as x509
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.pem import CertificateError

from tests.servers import weak_pki
from tests.servers.weak_pki import Authority


def described(*authorities: Authority) -> tuple[x509.Certificate, ...]:
    return tuple(x509.parse_certificate(authority.der, "here") for authority in authorities)


def checked(*authorities: Authority) -> dict[str, tuple[str, ...]]:
    """What is weak, by name."""
    found = described(*authorities)
    weak = check.check_bundle(found, {certificate.der: "here" for certificate in found})
    return {c.common_name: weak[c.fingerprint_sha256] for c in found if c.fingerprint_sha256 in weak}


def test_path_lengths() -> None:
    root = weak_pki.authority("root", path_length=1)
    first = weak_pki.authority("first", issuer=root)
    second = weak_pki.authority("second", issuer=first)
    third = weak_pki.authority("third", issuer=second)
    assert checked(root, first) == {}
    assert checked(third, second, first, root) == {"second": ("path_length",), "third": ("path_length",)}
    unlimited = weak_pki.authority("unlimited")
    assert checked(unlimited, weak_pki.authority("below", issuer=unlimited, path_length=0)) == {}


def test_of_several_ways_to_a_root_the_best_counts() -> None:
    short = weak_pki.authority("short", path_length=0)
    wide = weak_pki.authority("wide")
    one = weak_pki.authority("crossed", issuer=short)
    other = weak_pki.authority("crossed", issuer=wide, key=one.key)
    below = weak_pki.authority("below", issuer=one)
    assert checked(short, wide, one, other, below) == {"crossed": ("path_length",)}
    assert checked(short, one, below) == {"crossed": ("path_length",), "below": ("path_length",)}


def test_key_identifiers_tell_two_of_one_name_apart() -> None:
    roots = [weak_pki.authority("twin") for _number in range(2 * check._MOST_ISSUERS)]
    assert checked(*roots, *(weak_pki.authority("below", issuer=root) for root in roots)) == {}
    stranger = weak_pki.authority("twin")
    with pytest.raises(CertificateError, match="signature does not verify with the key of its issuer CN=twin"):
        checked(*roots, weak_pki.authority("below", issuer=stranger))


def test_two_that_have_issued_each_other_lead_nowhere() -> None:
    one = weak_pki.authority("one")
    two = weak_pki.authority("two", issuer=one)
    again = weak_pki.authority("one", issuer=two, key=one.key)
    with pytest.raises(CertificateError, match="leads to no root certificate"):
        checked(again, two)
    assert checked(again, two, one) == {}


def test_the_time_grows_with_the_number() -> None:
    """A chain in the wrong order, and intermediates of one name, as many as a bundle can have."""
    root = weak_pki.authority("same")
    wide = [root, *(weak_pki.authority("same", issuer=root) for _number in range(499))]
    chain = [root]
    for _number in range(499):
        chain.append(weak_pki.authority("same", issuer=chain[-1]))
    for authorities in (wide, chain[::-1]):
        found = described(*authorities)
        started = time.process_time()
        check.check_bundle(found, {certificate.der: "here" for certificate in found})
        assert time.process_time() - started < 3  # 0.2 s on an idle machine


def worse(new: t.Sequence[Authority], old: t.Sequence[Authority], *, same_sources: bool = True) -> list[str]:
    found = described(*new)
    weak = check.check_bundle(found, {certificate.der: "here" for certificate in found})
    return check.worse(found, weak, described(*old), same_sources=same_sources, now=utc_now())


def test_worse() -> None:
    good, other = weak_pki.authority("good"), weak_pki.authority("other")
    expired = weak_pki.authority("expired", starts=-9, ends=-1)
    small = weak_pki.authority("small", rsa_bits=1024)
    assert worse([good], []) == []
    assert worse([good, other, expired], [good]) == []
    assert worse([good], [good, expired]) == []
    assert worse([expired], [expired]) == []
    assert worse([expired], []) == []
    (missing,) = worse([good], [good, other])
    assert missing.startswith("other, which the file has and which is valid until ")
    assert worse([good], [good, other], same_sources=False) == []
    (lapsed,) = worse([expired], [good], same_sources=False)
    assert lapsed.startswith("the root expired expired on ")
    assert worse([good, small], [good]) == ["small has an RSA key of fewer than 2048 bits"]
    assert worse([good, small], [good, small]) == []
    many = worse([good], [good, *(weak_pki.authority(f"ca {number}") for number in range(9))])
    assert len(many) == 6
    assert many[-1] == "4 more"
