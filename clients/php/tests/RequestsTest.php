<?php

declare(strict_types=1);

namespace Protocol\Tests;

use Protocol\ApiClient;

final class RequestsTest extends ApiTestCase
{
    public function testARequestHasTheExpectedHeaders(): void
    {
        $groups = $this->client(Server::echo())->groups;
        $headers = fn ($group) => json_decode($group->description)->headers;
        $created = $headers($groups->create(['name' => 'Plaza Hotel']));
        self::assertSame('protocol-api-php/' . ApiClient::VERSION, $created->{'user-agent'});
        self::assertSame('Bearer ' . getenv('GROUPS_TOKEN'), $created->authorization);
        self::assertSame('application/json', $created->{'content-type'});
        self::assertMatchesRegularExpression(
            '/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/',
            $created->{'idempotency-key'}
        );
        $second = $headers($groups->create(['name' => 'Plaza Hotel']));
        self::assertNotSame($created->{'idempotency-key'}, $second->{'idempotency-key'});
        self::assertSame('mine', $headers($groups->create([], idempotencyKey: 'mine'))->{'idempotency-key'});
        self::assertSame('"a"', $headers($groups->update('x', [], ifMatch: '"a"'))->{'if-match'});
        $retrieved = $headers($groups->get('x'));
        self::assertSame(['host', 'authorization', 'user-agent', 'accept'], array_keys((array) $retrieved));
    }

    public function testValuesKeepTheirJsonTypes(): void
    {
        $groups = $this->client(Server::echo())->groups;
        $body = fn (array $changes) => json_decode($groups->update('x', $changes)->description)->body;
        self::assertSame('{}', $body([]));
        self::assertSame('{"contacts":[]}', $body(['contacts' => []]));
        self::assertSame('{"contacts":[{"username":"a"}]}', $body(['contacts' => [4 => ['username' => 'a']]]));
        self::assertSame('{"archived_at":9007199254740993}', $body(['archived_at' => 9007199254740993]));
        self::assertSame('{"archived_at":0.1}', $body(['archived_at' => 0.1]));
        self::assertSame('{"archived_at":1.0}', $body(['archived_at' => 1.0]));
        self::assertSame('{"archived_at":null}', $body(['archived_at' => null]));
    }

    public function testAnIdIsOneSegmentOfThePath(): void
    {
        $proxy = Server::faulty();
        $groups = $this->client($proxy)->groups;
        foreach (['a/b', '..', '.', 'a?b#c', '%2F', "ä\n"] as $id) {
            self::assertApiError(404, 'group_not_found', null, fn () => $groups->delete($id));
        }
        $paths = ['a%2Fb', '%2E%2E', '%2E', 'a%3Fb%23c', '%252F', '%C3%A4%0A'];
        self::assertSame(array_map(fn (string $path) => "DELETE /v1/groups/$path", $paths), $proxy->requests());
    }

    public function testInvalidArgumentsAreReportedBeforeARequest(): void
    {
        $proxy = Server::faulty();
        $groups = $this->client($proxy)->groups;
        foreach (
            [
                fn () => $groups->get(''),
                fn () => $groups->update('', []),
                fn () => $groups->delete(''),
                fn () => $groups->create(['name' => 'x'], idempotencyKey: ''),
                fn () => $groups->create(['name' => 'x'], idempotencyKey: "a\r\nX-Injected: 1"),
                fn () => $groups->update('x', [], ifMatch: ''),
                fn () => $groups->delete('x', ifMatch: ' '),
                fn () => $groups->update('x', [], ifMatch: '"a" '),
                // Files without strict types would convert it to the string "1".
                fn () => $groups->update('x', [], ifMatch: true),
                fn () => $groups->delete('x', ifMatch: true),
                fn () => $groups->create(['name' => "\xff"]),
                fn () => $groups->create(['name' => INF]),
                fn () => $this->client(timeout: 0),
                fn () => $this->client(timeout: NAN),
                fn () => $this->client(retries: -1),
                fn () => new ApiClient(''),
                fn () => new ApiClient('two tokens'),
            ] as $call
        ) {
            self::catch(\InvalidArgumentException::class, $call);
        }
        // The ETag of a group of a page is null.
        self::catch(\TypeError::class, fn () => $groups->update('x', [], ifMatch: $groups->list()->data[0]->etag));
        self::assertSame(['GET /v1/groups'], $proxy->requests());
    }

    public function testABaseUrlThatIsNotOneIsReported(): void
    {
        $message = 'The base URL must be an http or https URL without credentials, query or fragment, such as '
            . 'https://api.protocol.chat.';
        $urls = ['', 'example.com', 'file:///etc/passwd', 'http://', ' http://a.example', 'http://a.example:99999',
            'https://u:p@a.example', 'https://u@a.example', 'https://a.example?', 'https://a.example/?a=b',
            'https://a.example#b'];
        foreach ($urls as $url) {
            // The token is not used before the base URL is valid.
            $error = self::catch(\InvalidArgumentException::class, fn () => new ApiClient('', $url));
            self::assertSame($message, $error->getMessage());
        }
    }

    public function testAForkedProcessDoesNotUseTheConnectionOfItsParent(): void
    {
        $groups = $this->client()->groups;
        $ids = array_map(fn () => $groups->create(['name' => 'x'])->id, range(0, 1));
        $printed = self::runProgram("
            \$groups = (new Protocol\\ApiClient(\$token))->groups;
            \$groups->get('$ids[0]');
            \$child = pcntl_fork();
            \$id = \$child === 0 ? '$ids[0]' : '$ids[1]';
            for (\$request = 0; \$request < 50; \$request++) {
                \$groups->get(\$id)->id === \$id or exit('wrong');
            }
            echo 'right';
            \$child === 0 or pcntl_wait(\$status);
        ");
        self::assertSame('rightright', $printed);
    }

    public function testRedirectsAreNotFollowed(): void
    {
        $groups = $this->client(Server::echo())->groups;
        self::assertApiError(307, null, null, fn () => $groups->get('redirect'));
    }

    public function testTheBaseUrlMayEndWithASlash(): void
    {
        $client = new ApiClient(getenv('GROUPS_TOKEN'), strtoupper(getenv('GROUPS_URL')) . '//');
        self::assertCount(1, $client->groups->list(limit: 1)->data);
    }

    public function testTheVersionIsThatOfOpenapiYaml(): void
    {
        preg_match('/^  version: (.+)$/m', file_get_contents(__DIR__ . '/../../../openapi.yaml'), $match);
        self::assertSame($match[1], ApiClient::VERSION);
    }
}
