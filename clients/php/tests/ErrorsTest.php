<?php

declare(strict_types=1);

namespace Protocol\Tests;

use Protocol\ApiClient;
use Protocol\ApiException;
use Protocol\ConnectionException;
use Protocol\ProtocolException;
use Protocol\TimeoutException;

final class ErrorsTest extends ApiTestCase
{
    public function testEachErrorThatTheClientCanCauseIsReported(): void
    {
        $groups = $this->client()->groups;
        $create = fn (mixed $contacts) => fn () => $groups->create(['name' => 'x', 'contacts' => $contacts]);
        $nested = [];
        for ($level = 0; $level < 120; $level++) {
            $nested = [$nested];
        }
        self::assertApiError(400, 'malformed_body', null, $create($nested));
        self::assertApiError(400, 'missing', 'name', fn () => $groups->create([]));
        self::assertApiError(400, 'unknown', 'nme', fn () => $groups->create(['name' => 'x', 'nme' => 'y']));
        self::assertApiError(400, 'invalid', 'name', fn () => $groups->create(['name' => 1]));
        self::assertApiError(400, 'invalid', 'contacts[0]', $create([[]]));
        $twice = [['username' => 'a'], ['username' => 'a']];
        self::assertApiError(400, 'repeated', 'contacts[1].username', $create($twice));
        self::assertApiError(400, 'invalid', 'limit', fn () => $groups->list(limit: 0));
        $both = fn () => $groups->list(startingAfter: str_repeat('a', 16), endingBefore: str_repeat('b', 16));
        self::assertApiError(400, 'invalid', 'ending_before', $both);
        self::assertApiError(400, 'invalid', 'If-Match', fn () => $groups->update('x', [], ifMatch: 'not quoted'));
        $large = str_repeat('x', 2 ** 20);
        self::assertApiError(413, 'body_too_large', null, fn () => $groups->create(['name' => $large]));
        self::assertApiError(404, 'group_not_found', null, fn () => $groups->get('x'));

        $key = bin2hex(random_bytes(16));
        $groups->create(['name' => 'x'], idempotencyKey: $key);
        $reuse = fn () => $groups->create(['name' => 'y'], idempotencyKey: $key);
        self::assertApiError(422, 'idempotency_key_reused', null, $reuse);

        $group = $groups->create(['name' => 'x']);
        $changed = $groups->update($group->id, ['name' => 'y'], ifMatch: $group->etag);
        $update = fn () => $groups->update($group->id, ['name' => 'z'], ifMatch: $group->etag);
        self::assertApiError(412, 'precondition_failed', null, $update);
        $delete = fn () => $groups->delete($group->id, ifMatch: $group->etag);
        self::assertApiError(412, 'precondition_failed', null, $delete);
        $groups->delete($group->id, ifMatch: $changed->etag);
        self::assertApiError(404, 'group_not_found', null, fn () => $groups->delete($group->id));

        $url = getenv('GROUPS_URL');
        $list = fn (string $token, string $url) => fn () => (new ApiClient($token, $url))->groups->list();
        self::assertApiError(400, 'token_malformed', null, $list('a!b', $url));
        self::assertApiError(401, 'token_invalid', null, $list('abc', $url));
        self::assertApiError(404, 'path_not_found', null, $list(getenv('GROUPS_TOKEN'), "$url/v2"));
    }

    public function testAnErrorHasAllMembers(): void
    {
        $error = self::assertApiError(400, 'missing', 'name', fn () => $this->client()->groups->create([]));
        self::assertInstanceOf(ProtocolException::class, $error);
        self::assertSame('invalid_request', $error->type);
        self::assertStringContainsString('name', $error->getMessage());
        self::assertStringEndsWith('/invalid_request', $error->documentation_url);
        self::assertNotSame('', (string) $error->request_id);
        self::assertSame(400, $error->getCode());
    }

    public function testServerErrorsAreReported(): void
    {
        $groups = $this->client(Server::faulty('503', 'unknown', 'html', '429', '413', 'garbage'), retries: 0)->groups;
        $list = fn () => $groups->list();
        self::assertSame('api_error', self::assertApiError(503, 'unavailable', null, $list)->type);
        self::assertApiError(503, 'outcome_unknown', null, $list);
        $html = self::assertApiError(502, null, null, $list);
        $message = 'The response with status %d is not from the API. If it persists, check the base URL.';
        self::assertSame(sprintf($message, 502), $html->getMessage());
        self::assertSame('The fault.', self::assertApiError(429, null, null, $list)->getMessage());
        self::assertApiError(413, null, null, $list);
        $garbage = self::assertApiError(200, null, null, $list);
        self::assertSame(sprintf($message, 200), $garbage->getMessage());
        self::assertSame([null, null], [$garbage->type, $garbage->documentation_url]);
    }

    /** @dataProvider unexpectedBodies */
    public function testASuccessThatIsNotWhatTheApiRespondsIsAnApiError(string $body): void
    {
        $groups = $this->client(Server::responding(200, $body))->groups;
        foreach ([fn () => $groups->get('a'), fn () => $groups->list(), fn () => $groups->delete('a')] as $call) {
            $error = self::assertApiError(200, null, null, $call);
            self::assertStringStartsWith('The response with status 200 is not from the API.', $error->getMessage());
        }
    }

    /** @return list<array{string}> */
    public static function unexpectedBodies(): array
    {
        $group = self::group('a');
        $bodies = [
            ['message' => 'Hello', 'code' => 'group_not_found'],
            ['id' => 1] + $group,
            ['contacts' => null] + $group,
            ['contacts' => [5]] + $group,
            ['data' => [$group]],
            ['data' => [$group], 'has_more' => 'false'],
            ['data' => '', 'has_more' => false],
            ['data' => [], 'has_more' => true],
        ];
        $nested = str_repeat('[', 200_000) . str_repeat(']', 200_000);
        $texts = ['', '<h1>Hello</h1>', $nested, ...array_map('json_encode', $bodies)];
        return array_map(fn (string $body) => [$body], $texts);
    }

    public function testOnly204IsTheSuccessOfADelete(): void
    {
        foreach ([200, 202] as $status) {
            $groups = $this->client(Server::responding($status, ''))->groups;
            self::assertApiError($status, null, null, fn () => $groups->delete('a'));
        }
    }

    public function testAPageFromWhichTheNextPageWouldBeTheSameIsAnApiError(): void
    {
        $page = json_encode(['data' => [self::group('b'), self::group('a')], 'has_more' => true]);
        $groups = $this->client(Server::responding(200, $page))->groups;
        self::assertApiError(200, null, null, fn () => $groups->list(startingAfter: 'a'));
        self::assertApiError(200, null, null, fn () => $groups->list(endingBefore: 'b'));
        self::assertApiError(200, null, null, fn () => iterator_to_array($groups->iterate()));
        self::assertApiError(200, null, null, fn () => iterator_to_array($groups->iterate(endingBefore: '0')));
        self::assertCount(2, $groups->list(startingAfter: 'b')->data);
    }

    public function testAResponseThatEndsInItsHeadersIsAConnectionError(): void
    {
        $server = Server::raw("HTTP/1.1 200 OK\r\ncontent-le");
        $error = self::catch(ConnectionException::class, fn () => $this->client($server, retries: 0)->groups->list());
        $message = 'The connection failed. Check the network and the base URL. The response ends in its headers.';
        self::assertSame($message, $error->getMessage());
    }

    public function testHeadersOfAnInterimResponseAreIgnored(): void
    {
        $body = json_encode(self::group('a'));
        $head = "HTTP/1.1 103 Early Hints\r\netag: \"early\"\r\n\r\nHTTP/1.1 200 OK\r\napigw-requestid: 123\r\n";
        $group = $this->client(Server::raw("$head\r\n$body"))->groups->get('a');
        self::assertSame([null, '123'], [$group->etag, $group->request_id]);
    }

    public function testTheRequestIdMayBeThatOfApiGateway(): void
    {
        $server = Server::responding(413, '{"message":"Request Entity Too Large"}', ['apigw-requestid' => '123']);
        $error = self::assertApiError(413, null, null, fn () => $this->client($server)->groups->list());
        self::assertSame(['123', 'Request Entity Too Large'], [$error->request_id, $error->getMessage()]);
    }

    public function testATokenThatAServerRepeatsIsNotInTheError(): void
    {
        $token = getenv('GROUPS_TOKEN');
        $names = ['message', 'type', 'code', 'param', 'documentation_url'];
        $body = json_encode(array_fill_keys($names, "Bearer $token"));
        $server = Server::responding(403, $body, ['x-request-id' => $token]);
        $error = self::assertApiError(403, 'Bearer ***', 'Bearer ***', fn () => $this->client($server)->groups->list());
        self::assertSame('***', $error->request_id);
        self::assertStringNotContainsString(substr($token, 7, 8), $error . $error->type . $error->documentation_url);
    }

    public function testAnExceptionCanBePrintedAndSerialized(): void
    {
        $group = json_encode(['contacts' => [5]] + self::group('a'));
        $server = Server::responding(200, $group);
        $printed = self::runProgram("
            \$groups = (new Protocol\\ApiClient(\$token, '$server->url'))->groups;
            try {
                \$groups->get('a');
            } catch (Protocol\\ApiException \$exception) {
                var_dump(\$exception);
                print_r(\$exception);
                var_export(unserialize(serialize(\$exception))->status);
                echo ' is the status.';
            }
        ");
        self::assertStringEndsWith('200 is the status.', $printed);
    }

    /** @return array<string, mixed> */
    private static function group(string $id): array
    {
        return [
            'id' => $id,
            'name' => 'Plaza Hotel',
            'description' => null,
            'avatar_url' => null,
            'conversation_id' => 'c',
            'contacts' => [],
            'created_at' => 1,
            'archived_at' => null,
        ];
    }

    public function testConnectionErrorsAndTimeOutsDiffer(): void
    {
        $groups = $this->client(Server::faulty('close', 'slow:2'), timeout: 0.5, retries: 0)->groups;
        self::catch(ConnectionException::class, fn () => $groups->list());
        $start = microtime(true);
        $timeout = self::catch(TimeoutException::class, fn () => $groups->list());
        $message = 'There was no complete response within 0.5 seconds. Try again later. ';
        self::assertStringStartsWith($message, $timeout->getMessage());
        self::assertLessThan(1.5, microtime(true) - $start);
        // Nothing listens on port 1.
        $unreachable = new ApiClient('token', 'http://127.0.0.1:1', retries: 0);
        $exception = self::catch(ConnectionException::class, fn () => $unreachable->groups->list());
        self::assertInstanceOf(ProtocolException::class, $exception);
        $message = 'The connection failed. Check the network and the base URL. ';
        self::assertStringStartsWith($message, $exception->getMessage());
    }

    public function testNoRepresentationShowsTheToken(): void
    {
        $token = getenv('GROUPS_TOKEN');
        // The words of the token are looked for, because some representations cut it.
        $secret = substr($token, strlen('groups_'), 8);
        $client = $this->client();
        $shown = print_r($client, true) . var_export($client, true) . json_encode($client);
        $shown .= print_r((array) $client, true) . print_r((array) $client->groups, true);
        ob_start();
        var_dump($client, $client->groups);
        $shown .= ob_get_clean();

        $unreachable = new ApiClient($token, 'http://127.0.0.1:1', retries: 0);
        $malformed = new ApiClient("$token!", getenv('GROUPS_URL'));
        $exceptions = [
            self::catch(\Exception::class, fn () => serialize($client)),
            self::catch(\InvalidArgumentException::class, fn () => new ApiClient("$token\n")),
            self::catch(\InvalidArgumentException::class, fn () => new ApiClient($token, 'nowhere')),
            self::catch(\InvalidArgumentException::class, fn () => $client->groups->get('')),
            self::catch(ConnectionException::class, fn () => $unreachable->groups->list()),
            self::catch(ApiException::class, fn () => $client->groups->get('x')),
            self::catch(ApiException::class, fn () => $malformed->groups->get('x')),
        ];
        foreach ($exceptions as $exception) {
            // The frames of PHPUnit contain much else.
            $isOurs = fn (array $frame) => preg_match('/^Protocol\\\\(?!Tests)/', $frame['class'] ?? '') === 1;
            $shown .= $exception . print_r(array_filter($exception->getTrace(), $isOurs), true);
        }
        self::assertStringContainsString('list', $shown);
        self::assertStringNotContainsString($secret, $shown);
    }
}
