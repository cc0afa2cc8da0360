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
        self::assertSame('The response with status code 502 has an unexpected body.', $html->getMessage());
        self::assertSame('The fault.', self::assertApiError(429, null, null, $list)->getMessage());
        self::assertApiError(413, null, null, $list);
        $garbage = self::assertApiError(200, null, null, $list);
        self::assertSame('The response with status code 200 has an unexpected body.', $garbage->getMessage());
        self::assertSame([null, null], [$garbage->type, $garbage->documentation_url]);
    }

    public function testAResponseThatLacksMembersIsAnApiError(): void
    {
        // It responds with a group to every request, and a group is not a page.
        self::assertApiError(200, null, null, fn () => $this->client(Server::echo())->groups->list());
    }

    public function testConnectionErrorsAndTimeOutsDiffer(): void
    {
        $groups = $this->client(Server::faulty('close', 'slow:2'), timeout: 0.5, retries: 0)->groups;
        self::catch(ConnectionException::class, fn () => $groups->list());
        $start = microtime(true);
        self::catch(TimeoutException::class, fn () => $groups->list());
        self::assertLessThan(1.5, microtime(true) - $start);
        // Nothing listens on port 1.
        $unreachable = new ApiClient('token', 'http://127.0.0.1:1', retries: 0);
        $exception = self::catch(ConnectionException::class, fn () => $unreachable->groups->list());
        self::assertInstanceOf(ProtocolException::class, $exception);
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
