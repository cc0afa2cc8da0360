<?php

/*
 * Responds with a group whose description is the request, as JSON, and that has members of a later version of the API.
 * Redirects the path /v1/groups/redirect.
 */

declare(strict_types=1);

if ($_SERVER['REQUEST_URI'] === '/v1/groups/redirect') {
    header('Location: /v1/groups/target', true, 307);
    return;
}
header('Content-Type: application/json');
echo json_encode([
    'id' => 'L7cGNIBKZiNJ6wqF',
    'name' => 'Plaza Hotel',
    'description' => json_encode([
        'path' => $_SERVER['REQUEST_URI'],
        'headers' => array_change_key_case(getallheaders()),
        'body' => file_get_contents('php://input'),
    ]),
    'conversation_id' => 'ZYjVAbCE9g5XRlra',
    'contacts' => [['username' => 'Hector', 'badges' => [], 'settings' => new stdClass(), 'score' => 1.0]],
    'created_at' => 253402300799,
    'archived_at' => null,
    'color' => 'green',
], JSON_PRESERVE_ZERO_FRACTION);
