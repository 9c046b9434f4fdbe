# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An AWS on loopback: moto's server, what it was called for, and answers for what it does not know."""

from __future__ import annotations

import re
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import boto3
import pytest
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import get_account_id_from
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from .data import COLLECTION

REGION = "eu-central-1"
SECRET = "a5ecretKeyOfNobody"
OTHER_ACCOUNT, PROFILE = "210987654321", "staging"
"""A second AWS account, and the profile that assumes a role in it."""
Parameters = dict[str, str]
Answer = Callable[[Parameters], str | None]
Hook = Callable[[Parameters], None]

_SERVICE = re.compile(r"Credential=([^/]+)/\d+/[^/]+/([a-z-]+)/aws4_request")
_ACCOUNT = "account of the caller"


# By playbook what it has called in this run of the tests.
CALLED: dict[str, set[str]] = {}
RAN: set[tuple[str, str]] = set()
"""The tests that this process has begun, by module: several processes have each a part of CALLED."""


def after_all_others(request: pytest.FixtureRequest) -> None:
    """Skip a test about all calls where this process has not run all other tests of the file."""
    names = {name for name in vars(request.module) if name.startswith("test_")}
    if not {(request.module.__name__, name) for name in names} <= RAN:
        pytest.skip("only after the other tests of this file, in one process")


def permissions(playbook: str) -> set[str]:
    """The permissions that the guide lists for it."""
    guide = (COLLECTION / "docs" / "docsite" / "rst" / "rds_api.rst").read_text("utf-8")
    policy = re.split(rf"^``{playbook}``.*:\n", guide, maxsplit=1, flags=re.MULTILINE)[1].partition('"Resource"')[0]
    return set(re.findall(r'"(\w+:\w+)"', policy))


def of_profiles() -> set[str]:
    """The permissions that the guide lists for profiles with a role."""
    guide = (COLLECTION / "docs" / "docsite" / "rst" / "rds_api.rst").read_text("utf-8")
    return set(re.findall(r"``(sts:\w+)``", guide))


class Aws:
    """``calls`` are the calls so far, as IAM names them; ``log`` is every one. ``after`` is called after moto.

    ``whole`` is how often all instances of a region were listed.
    """

    def __init__(self) -> None:
        self.calls: set[str] = set()
        self.whole = 0
        self.log: list[str] = []
        self.after: dict[str, list[Hook]] = {}
        # In place of what moto says always, such as a parameter group that is in sync.
        self.rewritten: dict[str, tuple[bytes, bytes]] = {}
        # moto has neither engine versions, nor the parameters that a group begins with.
        self.answers: dict[str, Answer] = {
            "DescribeDBEngineVersions": engine_versions,
            "DescribeDBParameterGroups": _missing_group,
            "DescribeDBParameters": _parameters,
            "DescribeDBClusterParameters": _parameters,
        }
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._application, True, request_handler=MotoRequestHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def value(self, group: str, account: str = DEFAULT_ACCOUNT_ID) -> str | None:
        """The value of require_secure_transport in a parameter group, None where it was never set."""
        given = _given(account, group)
        return given["ParameterValue"] if given else None

    def attach(self, name: str, group: str) -> None:
        """Give an instance another parameter group, as somebody else would."""
        get_backend("rds")[DEFAULT_ACCOUNT_ID][REGION].databases[name].db_parameter_group_name = group

    def _application(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        parameters = dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace")))
        action = parameters.get("Action") or environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        service = _SERVICE.search(environ.get("HTTP_AUTHORIZATION", ""))
        if action and service:
            self.log.append(f"{service[2]}:{action}")
            self.calls.add(self.log[-1])
            self.whole += action == "DescribeDBInstances" and "DBInstanceIdentifier" not in parameters
            parameters[_ACCOUNT] = get_account_id_from(service[1])
        known = self.answers.get(action)
        answer = known(parameters) if known else None
        if answer is not None:
            codes = {"AccessDenied": "403 Forbidden", "DBParameterGroupNotFound": "404 Not Found"}
            status = next((codes[code] for code in codes if f"<Code>{code}</Code>" in answer), "200 OK")
            start_response(status, [("Content-Type", "text/xml")])
            return [answer.encode()]
        head: list[Any] = []
        found = list(self._moto(environ, lambda *arguments: head.extend(arguments)))
        if action in self.rewritten:
            found = [b"".join(found).replace(*self.rewritten[action])]
        status, headers = head[:2]
        start_response(status, [(name, value) for name, value in headers if name.lower() != "content-length"])
        for hook in self.after.get(action, ()):
            hook(parameters)
        return found

    def check_permissions(self, playbook: str) -> None:
        """Nothing was called that the guide does not list for this playbook."""
        listed = permissions(playbook) | of_profiles()
        assert self.calls <= listed, self.calls - listed
        CALLED.setdefault(playbook, set()).update(self.calls)

    def start(self) -> None:
        """Serve, with nothing left of an earlier one: moto keeps its databases in the process."""
        self._thread.start()
        reset = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")  # noqa: S310  moto's, on loopback
        urllib.request.urlopen(reset, timeout=60).close()  # noqa: S310  moto's, on loopback

    def stop(self) -> None:
        """End serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def aws_on_loopback(monkeypatch: pytest.MonkeyPatch, directory: Path) -> Iterator[Aws]:
    """An empty one, that boto3 and everything that is started finds.

    :arg directory: For boto3's configuration.
    """
    aws = Aws()
    # In a file, as amazon.aws takes no profile beside keys in the environment.
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    credentials = f"aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = {SECRET}\n"
    role = f"role_arn = arn:aws:iam::{OTHER_ACCOUNT}:role/dbtls\nsource_profile = default\n"
    (directory / "aws").write_text(f"[default]\n{credentials}[profile {PROFILE}]\n{role}")
    for name, value in {
        "AWS_CONFIG_FILE": str(directory / "aws"),
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    aws.start()
    try:
        yield aws
    finally:
        aws.stop()


def client(service: str = "rds", profile: str | None = None) -> Any:
    """A client that is no part of what is tested."""
    return boto3.Session(profile_name=profile).client(service, region_name=REGION)


def instance(rds: Any, name: str, profile: str | None = None, **more: Any) -> None:
    """A database in moto, in a subnet group, as every one of AWS is."""
    subnets = [subnet["SubnetId"] for subnet in client("ec2", profile).describe_subnets()["Subnets"]]
    if not rds.describe_db_subnet_groups()["DBSubnetGroups"]:
        rds.create_db_subnet_group(DBSubnetGroupName="all", DBSubnetGroupDescription="-", SubnetIds=subnets)
    more = {"Engine": "mysql", "EngineVersion": "8.0.36", "MasterUsername": "admin", **more}
    if "DBClusterIdentifier" not in more:
        more.update(MasterUserPassword="password1", AllocatedStorage=20, DBSubnetGroupName="all")
    rds.create_db_instance(DBInstanceIdentifier=name, DBInstanceClass="db.r5.large", **more)


# Answers in the form that the Amazon RDS API Reference documents. None was recorded from AWS.


def document(action: str, content: str) -> str:
    """An answer of the query API."""
    return (
        f'<{action}Response xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><{action}Result>{content}</{action}Result>'
        f"<ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></{action}Response>"
    )


OFFERED = {"mysql": "8.0.36", "mariadb": "10.11.6", "aurora-mysql": "8.0.mysql_aurora.3.05.2"}


def engine_versions(parameters: Parameters, *, restarts: bool = False, status: str = "available") -> str:
    """DescribeDBEngineVersions, for the version that is asked for, or the only one that is offered."""
    version = parameters.get("EngineVersion") or OFFERED[parameters["Engine"]]
    authorities = "".join(
        f"<member>{name}</member>" for name in ("rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1")
    )
    return document(
        "DescribeDBEngineVersions",
        f"<DBEngineVersions><DBEngineVersion><Engine>{parameters['Engine']}</Engine><Status>{status}</Status>"
        f"<EngineVersion>{escape(version)}</EngineVersion>"
        "<SupportsCertificateRotationWithoutRestart>"
        f"{'false' if restarts else 'true'}</SupportsCertificateRotationWithoutRestart>"
        f"<SupportedCACertificateIdentifiers>{authorities}</SupportedCACertificateIdentifiers>"
        "</DBEngineVersion></DBEngineVersions>",
    )


def _missing_group(parameters: Parameters) -> str | None:
    """DescribeDBParameterGroups of a group that is not there, where moto's answer is an empty list."""
    name = parameters.get("DBParameterGroupName")
    if not name or name in get_backend("rds")[parameters[_ACCOUNT]][REGION].db_parameter_groups:
        return None
    return _error("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}")


def denied(action: str) -> str:
    """What IAM answers to a call without the permission for it."""
    return _error("AccessDenied", f"User: arn:aws:iam::123456789012:user/audit is not authorized to perform: {action}")


def _error(code: str, message: str) -> str:
    return (
        '<ErrorResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{escape(message)}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
    )


def _given(account: str, group: str) -> dict[str, str] | None:
    """What moto was given for the parameter."""
    backend = get_backend("rds")[account][REGION]
    groups = {**backend.db_parameter_groups, **backend.db_cluster_parameter_groups}
    found: dict[str, str] | None = groups[group].parameters.get("require_secure_transport") if group in groups else None
    return found


def _parameters(parameters: Parameters) -> str:
    """DescribeDBParameters and its like for clusters: the one parameter, with the value that moto was given."""
    kind = "Cluster" if "DBClusterParameterGroupName" in parameters else ""
    given = _given(parameters[_ACCOUNT], parameters[f"DB{kind}ParameterGroupName"])
    value = f"<ParameterValue>{given['ParameterValue']}</ParameterValue>" if given else ""
    allowed = (
        "<DataType>string</DataType><AllowedValues>ON,OFF</AllowedValues>"
        if kind
        else ("<DataType>boolean</DataType><AllowedValues>0,1</AllowedValues>")
    )
    return document(
        f"DescribeDB{kind}Parameters",
        f"<Parameters><Parameter><ParameterName>require_secure_transport</ParameterName>{value}{allowed}"
        "<IsModifiable>true</IsModifiable><ApplyType>dynamic</ApplyType>"
        f"<Source>{'user' if given else 'engine-default'}</Source></Parameter></Parameters>",
    )
