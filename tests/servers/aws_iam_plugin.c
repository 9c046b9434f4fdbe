/* Copyright (c) 2026, dbtls contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A server's authentication plugin for tests, called AWSAuthenticationPlugin as the one of Amazon RDS: it has the client
 * send its password by mysql_clear_password, and lets in who sends a token for the user that logs in. There is no AWS to
 * ask whether the signature is right; who holds the token is who gets in. An account whose text begins with "as:" goes on
 * as the account that follows (GRANT PROXY).
 *
 * What arrives is appended, a line each, to the file that the server's environment variable RECEIVED_TOKENS names.
 *
 * The declarations below are the part of both servers' binary interface that such a plugin needs ("Writing
 * Authentication Plugins", MySQL manual; "Development: Writing Plugins for MariaDB").
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define AUTHENTICATION_PLUGIN 7
#define LICENSE_GPL 1
#define CR_OK -1
#define CR_ERROR 0
#define NAME "AWSAuthenticationPlugin"

struct channel {
  int (*read_packet)(struct channel *channel, unsigned char **packet);
  int (*write_packet)(struct channel *channel, const unsigned char *packet, int length);
  void (*info)(struct channel *channel, void *info);
};

/* What follows these is of no use here; there is more room for a name than this. */
struct login {
  const char *user;
  unsigned int user_length;
  const char *account;
  unsigned long account_length;
  char authenticated_as[97];
};

static void record(const unsigned char *packet, int length) {
  const char *path = getenv("RECEIVED_TOKENS");
  FILE *file = path ? fopen(path, "a") : NULL;
  if (file) {
    fprintf(file, "%.*s\n", length, (const char *)packet);
    fclose(file);
  }
}

static int authenticate(struct channel *channel, struct login *login) {
  unsigned char *packet;
  char wanted[512];
  int length = channel->read_packet(channel, &packet);
  if (length < 0) return CR_ERROR;
  /* The client sends the password with a NUL at its end. */
  if (length && packet[length - 1] == 0) length--;
  record(packet, length);
  snprintf(wanted, sizeof wanted, "/?Action=connect&DBUser=%.*s&", (int)login->user_length, login->user);
  if (!memmem(packet, length, wanted, strlen(wanted))) return CR_ERROR;
  if (!memmem(packet, length, "X-Amz-Signature=", 16)) return CR_ERROR;
  if (login->account_length > 3 && !memcmp(login->account, "as:", 3))
    snprintf(login->authenticated_as, sizeof login->authenticated_as, "%.*s", (int)login->account_length - 3,
             login->account + 3);
  return CR_OK;
}

#ifdef MARIADB

static struct {
  int interface_version;
  const char *client_plugin;
  int (*authenticate)(struct channel *, struct login *);
  int (*hash_password)(const char *, size_t, char *, size_t *);
  int (*preprocess_hash)(const char *, size_t, unsigned char *, size_t *);
} descriptor = {0x0202, "mysql_clear_password", authenticate, NULL, NULL};

struct plugin {
  int type;
  void *descriptor;
  const char *name, *author, *description;
  int license;
  int (*init)(void *), (*deinit)(void *);
  unsigned int version;
  void *status_variables, *system_variables;
  const char *version_text;
  unsigned int maturity;
};

EXPORT int _maria_plugin_interface_version_ = 0x010e;
EXPORT int _maria_sizeof_struct_st_plugin_ = sizeof(struct plugin);
EXPORT struct plugin _maria_plugin_declarations_[] = {
    {AUTHENTICATION_PLUGIN, &descriptor, NAME, "dbtls", "Tokens, for tests", LICENSE_GPL, NULL, NULL, 0x0100, NULL, NULL,
     "1.0", 4},
    {0}};

#else

static int same(char *out, unsigned int *out_length, const char *in, unsigned int in_length) {
  if (*out_length < in_length) return 1;
  memcpy(out, in, in_length);
  *out_length = in_length;
  return 0;
}

static int valid(char *text, unsigned int length) { return 0; }

static int salt(const char *text, unsigned int length, unsigned char *out, unsigned char *out_length) {
  *out_length = 0;
  return 0;
}

static struct {
  int interface_version;
  const char *client_plugin;
  int (*authenticate)(struct channel *, struct login *);
  int (*generate)(char *, unsigned int *, const char *, unsigned int);
  int (*validate)(char *, unsigned int);
  int (*set_salt)(const char *, unsigned int, unsigned char *, unsigned char *);
  unsigned long flags;
  int (*compare)(const char *, unsigned long, const char *, unsigned long, int *);
} descriptor = {0x0201, "mysql_clear_password", authenticate, same, valid, salt, 0, NULL};

struct plugin {
  int type;
  void *descriptor;
  const char *name, *author, *description;
  int license;
  int (*init)(void *), (*check_uninstall)(void *), (*deinit)(void *);
  unsigned int version;
  void *status_variables, *system_variables, *reserved;
  unsigned long flags;
};

EXPORT int _mysql_plugin_interface_version_ = 0x010b;
EXPORT int _mysql_sizeof_struct_st_plugin_ = sizeof(struct plugin);
EXPORT struct plugin _mysql_plugin_declarations_[] = {
    {AUTHENTICATION_PLUGIN, &descriptor, NAME, "dbtls", "Tokens, for tests", LICENSE_GPL, NULL, NULL, NULL, 0x0100, NULL,
     NULL, NULL, 0},
    {0}};

#endif
