# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replacing a file in one step, taking turns with other processes that do, and reading only what can be trusted."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import time
import typing as t

_RETRY_SECONDS = 0.05
# As many as the kernel follows.
_MOST_LINKS = 40
# What a file system answers that cannot sync a directory; it then has no promise to keep.
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES)


class Untrusted(Exception):
    """A file that is not read; the message continues ``it``."""


def open_trusted(path: str, group: int | None = None, *, anyones: bool = False) -> t.BinaryIO:
    """Open a file that decides something, as anyone who can write it could decide instead.

    Its owner has to be this user or root, for root too, and nobody else may write to it.

    :arg group: The number of a group whose members are trusted, also as owners.
    :arg anyones: For what people write and keep in checkouts: any owner and group is right. All may not write to it.
    :raises Untrusted: where that is not so, or it is a directory, device or pipe.
    :raises OSError: when it cannot be opened.
    """
    # Never waits for the other end of a pipe.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    reason = _distrust(os.fstat(file.fileno()), group, anyones=anyones)
    if reason:
        file.close()
        raise Untrusted(reason)
    return file


def _distrust(status: os.stat_result, group: int | None, *, anyones: bool) -> str | None:
    others_may = anyones or (group is not None and status.st_gid == group)
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_mode & stat.S_IWOTH:
        return "can be written by everybody"
    if not others_may and status.st_uid not in (0, os.geteuid()):
        return "belongs to another user"
    if not others_may and status.st_mode & stat.S_IWGRP:
        return "can be written by its group"
    return None


def read_bounded(read: t.Callable[[int], bytes], most: int) -> bytes:
    """The whole content, which has at most so many bytes.

    :arg read: A file's.

    :raises Untrusted: when it has more.
    """
    content = read(most + 1)
    if len(content) > most:
        raise Untrusted(f"is larger than {most} bytes")
    return content


class NotSynced(OSError):
    """A file was replaced, and a loss of power may bring the old one back, as its directory cannot be synced."""


def write_atomically(
    path: str,
    content: bytes,
    *,
    mode: int | None = None,
    before_replacing: t.Callable[[str], object] | None = None,
) -> None:
    """Replace or create a file: whatever happens, it is the old one or the new one, also after a loss of power.

    A symbolic link stays one, and its target is replaced (see ``followed``). A new file that was not completed is
    removed again; only a process that is killed leaves one behind, whose name starts with a dot and ends in ``.new``.

    :arg mode: Permissions of the file. Without it, a file that is there keeps its own, and a new one has what the umask
        leaves of 0666. The owner and group of a file that is there are kept where that is permitted, but not in a
        directory that everybody can write to.
    :arg before_replacing: Called with the path of the new file, complete but not in place yet. What it raises ends the
        attempt.
    :raises NotSynced: when the new file is in place, and that may not last.
    :raises OSError: otherwise, when that is impossible; the file is what it was.
    """
    target = followed(path)
    directory = os.path.dirname(target)
    new = os.path.join(directory, f".{secrets.token_hex(8)}.new")
    try:
        old: os.stat_result | None = os.stat(target)
    except FileNotFoundError:
        old = None
    if old is not None and os.stat(directory).st_mode & stat.S_IWOTH and old.st_uid != os.geteuid():
        old = None  # Anybody may have put it there, to be given what is written now.
    if mode is None and old is not None:
        mode = stat.S_IMODE(old.st_mode)
    # Nobody else reads what is not to be read by everybody, not even for a moment.
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            _set_attributes(descriptor, old, mode)
            os.fsync(descriptor)
        if before_replacing:
            before_replacing(new)
        os.replace(new, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    _sync_directory(directory)


def followed(path: str) -> str:
    """Where a file is, through symbolic links. Those of another user lead only to files that belong to that user.

    Otherwise every user who can write to the directory could have any file of this user replaced.

    :raises OSError: for another link of another user.
    """
    others: set[int] = set()
    for _number in range(_MOST_LINKS):
        directory = os.path.realpath(os.path.dirname(path))
        path = os.path.join(directory, os.path.basename(path))
        if not os.path.islink(path):
            break
        owner = os.lstat(path).st_uid
        if owner not in (0, os.geteuid()):
            others.add(owner)
        path = os.path.join(directory, os.readlink(path))
    else:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if others and others != {os.stat(path if os.path.exists(path) else directory).st_uid}:
        raise OSError(errno.EPERM, "it is a symbolic link of another user")
    return path


def _set_attributes(descriptor: int, old: os.stat_result | None, mode: int | None) -> None:
    if old is not None:
        now = os.fstat(descriptor)
        if (now.st_uid, now.st_gid) != (old.st_uid, old.st_gid):
            # Only root may give a file away; what is written is more important than whose it is.
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, old.st_uid, old.st_gid)
    if mode is not None:
        os.fchmod(descriptor, mode)


def _sync_directory(directory: str) -> None:
    """Without this, a machine that loses power may come back with the old file.

    :raises NotSynced: when that fails.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as e:
        if e.errno not in _CANNOT_SYNC:
            raise NotSynced(e.errno, e.strerror) from e


@contextlib.contextmanager
def locked_directory(directory: str, seconds: float) -> t.Iterator[None]:
    """One process at a time in the directory. The lock leaves no file behind, and ends with the process.

    :raises BlockingIOError: when another process holds it for so many seconds.
    :raises OSError: when the directory cannot be opened, or its file system knows no locks.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_RETRY_SECONDS)
        yield
    finally:
        os.close(descriptor)
