<?php

/*
 * Prints its URL, and responds to each request with the contents of a file. Then it closes the connection.
 */

declare(strict_types=1);

$response = file_get_contents($argv[1]);
$server = stream_socket_server('tcp://127.0.0.1:0');
echo 'http://', stream_socket_get_name($server, false), "\n";
while (true) {
    $connection = stream_socket_accept($server, -1);
    while (!in_array(fgets($connection), ["\r\n", false], true)) {
        // Reads the head of the request. The requests of the tests have no body.
    }
    fwrite($connection, $response);
    fclose($connection);
}
