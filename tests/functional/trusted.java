/*
 * Copyright (c) 2026, dbtls contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

import java.net.URL;
import javax.net.ssl.HttpsURLConnection;

/** Opens a TLS connection to the URL it is given, with the JVM's trust store, and prints whom it has met. */
class Trusted {
    public static void main(String[] arguments) throws Exception {
        HttpsURLConnection connection = (HttpsURLConnection) new URL(arguments[0]).openConnection();
        connection.setConnectTimeout(10000);
        connection.setReadTimeout(10000);
        connection.connect();
        System.out.println(connection.getServerCertificates().length + " " + connection.getResponseCode());
    }
}
