# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every address of AWS's, asked for by its own name, with the certificates that AWS has really published behind it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.certificates import parse_pem
from ansible_collections.dbtls.rds_mysql.plugins.modules import rds_ca_bundle

from tests.servers import MYSQL_RDS_CA, SSL_PROFILES, Mirror, Pki, ServerUnavailable, published_certificates, weak_pki
from tests.servers.proxy import Proxy

from .result import Result
from .runner import Modules

COMMERCIAL = "truststore.pki.rds.amazonaws.com"
GOVERNMENT = "truststore.pki.us-gov-west-1.rds.amazonaws.com"
CHINA = "rds-truststore.s3.cn-north-1.amazonaws.com.cn"
OLD_SETS = "s3.amazonaws.com"

# Set, region, the host, and for each of its paths what the names of the certificates behind it match.
SOURCES: list[tuple[str, str, str, dict[str, str]]] = [
    ("current", "global", COMMERCIAL, {"/global/global-bundle.pem": ""}),
    (
        "current",
        "eu-central-1",
        COMMERCIAL,
        {"/eu-central-1/eu-central-1-bundle.pem": "RDS eu-central-1 (Root|2019)|Root 2019 CA"},
    ),
    (
        "current",
        "us-gov-west-1",
        GOVERNMENT,
        {"/us-gov-west-1/us-gov-west-1-bundle.pem": "RDS (us-gov-west-1|GovCloud Root) CA"},
    ),
    ("current", "cn-north-1", CHINA, {"/cn-north-1/cn-north-1-bundle.pem": "Amazon Root CA 1"}),
    (
        "rds-ca-2015",
        "eu-central-1",
        OLD_SETS,
        {
            "/rds-downloads/rds-ca-2015-eu-central-1.pem": "RDS eu-central-1 CA$",
            "/rds-downloads/rds-ca-2015-root.pem": "RDS Root CA$",
        },
    ),
    (
        "rds-ca-2019",
        "eu-central-1",
        OLD_SETS,
        {
            "/rds-downloads/rds-ca-2019-eu-central-1.pem": "RDS eu-central-1 2019 CA",
            "/rds-downloads/rds-ca-2019-root.pem": "RDS Root 2019 CA",
        },
    ),
]


@pytest.fixture(scope="module")
def published() -> dict[str, bytes]:
    """The certificates by their names."""
    try:
        pems = published_certificates(SSL_PROFILES) + published_certificates(MYSQL_RDS_CA)
    except ServerUnavailable as e:
        pytest.skip(str(e))
    return {parse_pem(pem, "")[0].common_name: pem for pem in pems}


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[tuple[Mirror, Proxy, dict[str, Any]]]:
    """A mirror that all of AWS's names lead to, by way of a proxy."""
    root = weak_pki.authority("Somebody's Web Root")
    files = weak_pki.server(tmp_path, root, [COMMERCIAL, GOVERNMENT, CHINA, OLD_SETS])
    (tmp_path / "store").mkdir()
    with Mirror(tmp_path / "store", certificate=files) as mirror, Proxy(mirror.port) as proxy:
        yield mirror, proxy, {"dest": str(tmp_path / "bundle.pem"), "ca_path": str(files.ca), "retries": 0}


@pytest.mark.parametrize(("ca_set", "region", "host", "paths"), SOURCES)
def test_source(
    aws: tuple[Mirror, Proxy, dict[str, Any]],
    modules: Modules,
    published: dict[str, bytes],
    ca_set: str,
    region: str,
    host: str,
    paths: dict[str, str],
) -> None:
    mirror, proxy, options = aws
    bodies = [
        b"".join(pem for name, pem in published.items() if re.search(pattern, name)) for pattern in paths.values()
    ]
    for path, body in zip(paths, bodies, strict=True):
        assert body
        mirror.respond(path, body=body, headers={"ETag": f'"{len(body)}"'})

    def fetch(**more: Any) -> Result:
        environment = {"https_proxy": proxy.url}
        return modules.run_alone(
            "rds_ca_bundle", environment=environment, ca_set=ca_set, region=region, **options, **more
        )

    result = fetch().ok()
    assert Path(options["dest"]).read_bytes() == b"".join(bodies)
    assert [source["url"] for source in result["sources"]] == [f"https://{host}{path}" for path in paths]
    assert set(proxy.targets) == {f"{host}:443"}
    assert "table" not in result.warnings  # of roots
    expired = [c["common_name"] for c in result["certificates"] if c["expired"]]
    assert all(f"{name} expired on " in result.warnings for name in expired)
    assert ("signature weaker than SHA-256" in result.warnings) is (ca_set == "rds-ca-2015" or region == "global")
    assert fetch(unknown_roots="fail").ok()["changed"] is False


def test_a_root_that_is_not_of_aws(
    aws: tuple[Mirror, Proxy, dict[str, Any]], modules: Modules, published: dict[str, bytes]
) -> None:
    """Somebody has put it there."""
    mirror, proxy, options = aws
    own = weak_pki.authority("Somebody's Root")
    mirror.respond("/global/global-bundle.pem", body=published["Amazon Root CA 1"] + own.pem)

    def fetch(**more: Any) -> Result:
        return modules.run_alone("rds_ca_bundle", environment={"https_proxy": proxy.url}, **options, **more)

    refused = fetch(unknown_roots="fail")
    assert refused.failed
    assert refused.msg.startswith("unknown_roots: The bundle has roots that are not in this collection's table")
    assert ": Somebody's Root (sha256 " in refused.msg
    assert not Path(options["dest"]).exists()
    for _run in range(2):
        warnings = fetch().ok().warnings
        assert ": Somebody's Root (sha256 " in warnings
        assert "Amazon Root CA 1" not in warnings
    assert fetch(unknown_roots="ignore").ok().warnings == ""


EXAMPLES: list[dict[str, Any]] = yaml.safe_load(rds_ca_bundle.EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=[str(example["name"]) for example in EXAMPLES])
def test_the_examples_of_the_documentation(
    aws: tuple[Mirror, Proxy, dict[str, Any]],
    modules: Modules,
    published: dict[str, bytes],
    pki: Pki,
    tmp_path: Path,
    example: dict[str, Any],
) -> None:
    """Each as it is written, but for where it writes, where the mirror is, and what variables hold."""
    mirror, proxy, options = aws
    for name in ("intermediate", "root"):
        (tmp_path / f"{name}.pem").write_bytes(getattr(pki, name).read_bytes())
    for region in ("eu-central-1", "eu-west-1"):
        roots = b"".join(pem for name, pem in published.items() if f"RDS {region} Root CA" in name)
        mirror.respond(f"/{region}/{region}-bundle.pem", body=roots)
        mirror.respond(f"/rds/{region}/{region}-bundle.pem", body=pki.bundle.read_bytes())
    for name, title in (("root", "Root 2019 CA"), ("eu-central-1", "eu-central-1 2019 CA")):
        mirror.respond(f"/rds-downloads/rds-ca-2019-{name}.pem", body=published[f"Amazon RDS {title}"])
    ((module, given),) = ((key, value) for key, value in example.items() if key != "name")
    assert module == "dbtls.rds_mysql.rds_ca_bundle"
    checksum = hashlib.sha256(pki.bundle.read_bytes()).hexdigest()
    if "8443" in str(given):
        mirror.respond("/eu-central-1/eu-central-1-bundle.pem", body=pki.bundle.read_bytes())
    text = yaml.safe_dump(given)
    for old, new in (
        ("https://mirror.example.com", mirror.url),
        ("https://127.0.0.1:8443", mirror.url),
        ("/etc/ssl/mirror-ca.pem", options["ca_path"]),
        ("/etc/ssl/", f"{tmp_path}/ssl/"),
        ("/srv/ca/", f"{tmp_path}/"),
        ("{{ ca_bundle_sha256 }}", checksum),
        ("{{ trust_store_passphrase }}", "a phrase"),
        ("{{ mirror_password }}", "a word"),
    ):
        text = text.replace(old, new)
    assert "{{" not in text
    task: dict[str, Any] = yaml.safe_load(text)
    if not task.get("create_directory"):
        Path(task["dest"]).parent.mkdir(parents=True)
    if "url_username" in task:
        mirror.require(task["url_username"], "a word")
    environment = {"https_proxy": proxy.url, "no_proxy": "127.0.0.1", "SSL_CERT_FILE": options["ca_path"]}
    done = modules.run_alone("rds_ca_bundle", environment=environment, **task).ok()
    assert done["changed"] is True
    assert Path(task["dest"]).stat().st_size == done["size"]


def test_every_option_is_in_an_example() -> None:
    used = {name for example in EXAMPLES for name in example["dbtls.rds_mysql.rds_ca_bundle"]}
    documented = set(yaml.safe_load(rds_ca_bundle.DOCUMENTATION)["options"])
    assert documented - used == set()
