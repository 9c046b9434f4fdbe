# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The TLS versions by OpenSSL's and MySQL's names, the oldest first."""

from __future__ import annotations

TLS_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
# Obsolete (RFC 8996).
OLD_TLS_VERSIONS = ("TLSv1", "TLSv1.1")
