# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about findings about certificates."""

from __future__ import annotations

import re

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding import Command, Todo
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.model import ServerCertificate, ServerStatus
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.remediation import task
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.certificates import Certificate

# "Creating SSL and RSA Certificates and Keys using MySQL", MySQL Reference Manual.
_MYSQL_GENERATED = re.compile(r"MySQL_Server_.*_Auto_Generated_Server_Certificate\Z")
# Made in memory by MariaDB from 11.4 on, again at each start, and for no name.
_MARIADB_GENERATED = "MariaDB Server"
_OWN = (
    "Give the server a certificate from a CA that clients can trust: the present one {}. Set ssl_ca, ssl_cert "
    "and ssl_key under [mysqld] in its option file, and restart it."
)


def _generated(certificate: Certificate) -> str | None:
    """What to do about a certificate that a server has made for itself; None for any other."""
    if _MYSQL_GENERATED.match(certificate.common_name):
        return _OWN.format("was made by the server for itself, in its data directory, and for no host name")
    if certificate.self_signed and certificate.common_name == _MARIADB_GENERATED and not certificate.san:
        return _OWN.format("is made by the server for itself, again at each start, so no client can trust it")
    return None


def _by_certificate_manager(status: ServerStatus, certificate: Certificate) -> bool:
    endpoint = _rds.parse_endpoint(status.options.host)
    by_proxy = endpoint is not None and endpoint.proxy is not None
    return _rds.is_issued_by_amazon_trust_services(certificate) or (by_proxy and not _rds.is_issued_by_rds(certificate))


def trust(status: ServerStatus, shown: ServerCertificate) -> Todo:
    """How to make the certificate verify."""
    certificate = shown.certificate
    generated = _generated(certificate)
    if generated is not None:
        return generated
    expired = [one for one in shown.chain if one.expired(status.now)]
    if expired:
        return renew(status, certificate) if expired[0] == certificate else renew_chain(status, expired[0])
    if _by_certificate_manager(status, certificate):
        return (
            "Set ca_cert to the bundle of the operating system, or to Amazon's own roots (Amazon Root CA 1 to 4): RDS "
            "Proxy and Aurora Serverless v1 have certificates of AWS Certificate Manager, and not of the RDS CAs."
        )
    if _rds.is_issued_by_rds(certificate):
        endpoint = _rds.parse_endpoint(status.options.host)
        region = endpoint.region if endpoint else _rds.rds_region(certificate) or "global"
        return task("rds_ca_bundle", dest=status.options.ca_cert, region=region)
    if "expired" in (shown.trust_error or ""):
        return f"A CA certificate in {status.options.ca_cert} has expired: get the one that its owner has renewed."
    return (
        f"Add the certificate of the CA that issued it ({certificate.issuer}) to {status.options.ca_cert}, or "
        "give the server a certificate of a CA that is in there."
    )


def other_name(status: ServerStatus, certificate: Certificate) -> str:
    """What to do where the certificate is for another name."""
    generated = _generated(certificate)
    if generated is not None:
        return generated
    names = certificate.san or certificate.common_names
    return "Set login_host to a name that the certificate holds{}, or renew the certificate with the name {}.".format(
        f" ({names[0].partition(':')[2] or names[0]})" if names else "", status.options.host
    )


def renew(status: ServerStatus, certificate: Certificate) -> Todo:
    """How to give the server another certificate."""
    generated = _generated(certificate)
    if generated is not None:
        return generated
    if _by_certificate_manager(status, certificate):
        return (
            "There is nothing to run: AWS Certificate Manager renews the certificates of RDS Proxy and Aurora "
            "Serverless v1. If it does not, ask AWS Support."
        )
    if status.tls_ends is not None:
        return f"Renew it at its owner, and give it to the proxy that answers at {status.options.endpoint}."
    authority = _rds.rds_authority(certificate)
    if status.managed_by is None and authority is None:
        return (
            "Renew it at its owner. Put certificate and key into the server's ssl_cert and ssl_key files, and",
            *_reload(status.dialect),
        )
    return _modify_instance(status, authority)


def renew_chain(status: ServerStatus, one: Certificate) -> Todo:
    """The same for the certificate of an issuer, which the server presents."""
    if _rds.is_issued_by_rds(one) or status.managed_by is not None:
        return _modify_instance(status, _rds.rds_authority(one))
    return (
        (
            f"Get the renewed certificate of {one.subject} from its owner, put it in the place of the present one in "
            "the server's ssl_cert file, after the server's own, and"
        ),
        *_reload(status.dialect),
    )


def after_clients(status: ServerStatus, certificate: Certificate) -> Todo:
    """How to leave a CA that AWS has retired."""
    todo = renew(status, certificate)
    return "After every client has the current CA bundle:", *((todo,) if isinstance(todo, str) else todo)


def _modify_instance(status: ServerStatus, authority: str | None) -> Todo:
    endpoint = _rds.parse_endpoint(status.options.host)
    region = f" --region {endpoint.region}" if endpoint else ""
    instance = (endpoint.instance if endpoint else None) or "NAME"
    return (
        Command(
            f"aws rds modify-db-instance{region} --db-instance-identifier {instance} --ca-certificate-identifier "
            f"{_rds.successor_of(authority)} --apply-immediately"
        ),
        (
            "(engine versions that cannot rotate without a restart are restarted by that: see "
            "SupportsCertificateRotationWithoutRestart of describe-db-engine-versions)"
        ),
    )


def _reload(dialect: Dialect | None) -> tuple[str, ...]:
    if dialect is None:
        return ("restart the server, or run ALTER INSTANCE RELOAD TLS; or FLUSH SSL; where it has that.",)
    if dialect.has_reload_tls:
        return "run", Command("ALTER INSTANCE RELOAD TLS;")
    return ("run", Command("FLUSH SSL;")) if dialect.has_flush_ssl else ("restart the server.",)
