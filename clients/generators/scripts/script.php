<?php

// Uses the client that openapi-generator generates for PHP.

declare(strict_types=1);

use OpenAPI\Client\Api\GroupsApi;
use OpenAPI\Client\ApiException;
use OpenAPI\Client\Configuration;
use OpenAPI\Client\Model\ContactInput;
use OpenAPI\Client\Model\GroupChanges;
use OpenAPI\Client\Model\GroupInput;

require 'GuzzleHttp/autoload.php';
spl_autoload_register(function (string $class): void {
    $file = __DIR__ . '/php/lib/' . str_replace('\\', '/', substr($class, strlen('OpenAPI\Client\\'))) . '.php';
    if (str_starts_with($class, 'OpenAPI\Client\\')) {
        require $file;
    }
});

function check(bool $ok, mixed $found): void
{
    if (!$ok) {
        throw new RuntimeException(print_r($found, true));
    }
}

$configuration = (new Configuration())->setHost(getenv('GROUPS_URL'))->setAccessToken(getenv('GROUPS_TOKEN'));
$api = new GroupsApi(new GuzzleHttp\Client(), $configuration);
$contact = new ContactInput(['username' => 'Hector']);
$created = $api->createGroup(new GroupInput(['name' => 'Ünïcödé', 'description' => 'a', 'contacts' => [$contact]]));
$id = $created->getId();
check($api->getGroup($id) == $created, $created);
check($created->getContacts()[0]->getUsername() === 'Hector', $created);
$changes = (new GroupChanges())->setName('Renamed')->setDescription(null)->setContacts([]);
$updated = $api->updateGroup($id, null, $changes);
check([$updated->getName(), $updated->getDescription(), $updated->getContacts()] === ['Renamed', null, []], $updated);
$archived = $api->updateGroup($id, null, (new GroupChanges())->setArchivedAt(2 ** 32));
check($archived->getArchivedAt() === 2 ** 32, $archived);
$page = $api->listGroups(1);
check($page->getHasMore() && $page->getData()[0] == $archived, $page);
check($api->listGroups(1, null, $id)->getData()[0]->getId() !== $id, $page);
$api->deleteGroup($id);
try {
    $api->getGroup($id);
    check(false, 'the group is still there');
} catch (ApiException $error) {
    check($error->getResponseObject()->getCode() === 'new_code', $error->getResponseObject());
}
