# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Doing once, before Ansible forks, what every forked process would do again."""

from __future__ import annotations

import datetime as dt

from ansible import template
from ansible.vars import clean
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.pymysql_connection import connection_class
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates, offline_verification
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.context import ssl_context


def warm_up() -> None:
    """Use OpenSSL, cryptography, PyMySQL, Jinja and what Ansible does with facts for the first time.

    They look up algorithms, compile regular expressions, fill caches and touch memory that a forked process then gets
    copies of, one page after the other: a fifth of what a look at a server takes in a process of its own.

    This is the only trick of its kind. Others were measured and gain less than 10 %: importing a module's parts when
    they are needed (1 % of the time of mysql_ssl_status as a module), no garbage collector there (5 to 7 %), and
    contexts of OpenSSL made before the fork (5 % of a login).
    """
    certificate = _certificate()
    certificates.parse_certificate(certificate, "here")
    offline_verification.verify((certificate,), ssl_context(None, False, "TLSv1.2"), "localhost")
    connection_class()
    trusted = getattr(template, "trust_as_template", str)  # before ansible-core 2.19 every text is a template
    template.Templar(loader=None).template(trusted("{{ 0 | default(0) }}"))
    clean.clean_facts({})  # looks for the connection plugins, whose variables no fact may have the names of


def _certificate() -> bytes:
    """One for nobody, in DER form."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1))
    constraints = built.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return constraints.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
