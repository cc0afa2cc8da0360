<?php

declare(strict_types=1);

namespace Protocol\Tests;

use Protocol\ApiClient;
use Protocol\ConnectionException;
use Protocol\TimeoutException;

final class RetriesTest extends ApiTestCase
{
    /** @dataProvider transientFaults */
    public function testARequestIsRetriedAfter(string $fault): void
    {
        $proxy = Server::faulty($fault, $fault);
        self::assertCount(1, $this->client($proxy, timeout: 1)->groups->list(limit: 1)->data);
        self::assertCount(3, $proxy->requests());
    }

    /** @return list<array{string}> */
    public static function transientFaults(): array
    {
        return [['503'], ['429'], ['408'], ['500'], ['502'], ['504'], ['unknown'], ['html'], ['close'], ['slow:2']];
    }

    public function testThreeAttemptsAreMade(): void
    {
        $proxy = Server::faulty('503', '503', '503');
        self::assertApiError(503, 'unavailable', null, fn () => $this->client($proxy)->groups->list());
        self::assertCount(3, $proxy->requests());
    }

    public function testRetriesCanBeTurnedOff(): void
    {
        $proxy = Server::faulty('503');
        self::assertApiError(503, 'unavailable', null, fn () => $this->client($proxy, retries: 0)->groups->list());
        self::assertCount(1, $proxy->requests());
    }

    public function testOtherErrorsAreNotRetried(): void
    {
        $proxy = Server::faulty('413', '501', 'garbage');
        $groups = $this->client($proxy)->groups;
        foreach ([413, 501, 200] as $status) {
            self::assertApiError($status, null, null, fn () => $groups->list());
        }
        self::assertCount(3, $proxy->requests());
    }

    public function testRetryAfterIsHonoured(): void
    {
        $start = microtime(true);
        $this->client(Server::faulty('503:2'))->groups->list();
        self::assertGreaterThan(2, microtime(true) - $start);
    }

    public function testACreateWhoseResponseIsLostCreatesOneGroup(): void
    {
        foreach (['lose', 'slow:2'] as $fault) {
            $name = self::newName();
            $proxy = Server::faulty($fault);
            $group = $this->client($proxy, timeout: 1)->groups->create(['name' => $name]);
            self::assertSame($name, $group->name);
            self::assertSame(['POST /v1/groups', 'POST /v1/groups'], $proxy->requests());
            self::assertSame(1, $this->countGroups($name));
        }
    }

    public function testAnUpdateWithoutIfMatchIsRetried(): void
    {
        $group = $this->client()->groups->create(['name' => 'Before']);
        $proxy = Server::faulty('lose');
        self::assertSame('After', $this->client($proxy)->groups->update($group->id, ['name' => 'After'])->name);
        self::assertCount(2, $proxy->requests());
    }

    /** @dataProvider unknownOutcomes */
    public function testAnUpdateWithIfMatchThatMayHaveBeenMadeIsNotRetriedAfter(string $fault, string $class): void
    {
        $group = $this->client()->groups->create(['name' => 'Before']);
        // The first request makes the connection, because libcurl itself retries on a reused connection.
        $proxy = Server::faulty('pass', $fault);
        $groups = $this->client($proxy, timeout: 1)->groups;
        $groups->get($group->id);
        $proxy->requests();
        self::catch($class, fn () => $groups->update($group->id, ['name' => 'After'], ifMatch: $group->etag));
        self::assertSame(["PUT /v1/groups/$group->id"], $proxy->requests());
        $isMade = in_array($fault, ['lose', 'slow:2'], true);
        self::assertSame($isMade ? 'After' : 'Before', $this->client()->groups->get($group->id)->name);
    }

    /** @return list<array{string, class-string}> */
    public static function unknownOutcomes(): array
    {
        $api = \Protocol\ApiException::class;
        return [
            ['lose', ConnectionException::class],
            ['close', ConnectionException::class],
            ['slow:2', TimeoutException::class],
            ['unknown', $api],
            ['500', $api],
            ['502', $api],
            ['504', $api],
        ];
    }

    /** @dataProvider noOutcomes */
    public function testAnUpdateWithIfMatchIsRetriedAfter(string $fault): void
    {
        $group = $this->client()->groups->create(['name' => 'Before']);
        $proxy = Server::faulty($fault);
        $groups = $this->client($proxy)->groups;
        self::assertSame('After', $groups->update($group->id, ['name' => 'After'], ifMatch: $group->etag)->name);
        self::assertCount(2, $proxy->requests());
    }

    /** @return list<array{string}> */
    public static function noOutcomes(): array
    {
        return [['408'], ['429'], ['503']];
    }

    public function testAnUpdateWithIfMatchIsRetriedIfTheConnectionCannotBeMade(): void
    {
        $socket = stream_socket_server('tcp://127.0.0.1:0');
        $address = stream_socket_get_name($socket, false);
        fclose($socket);
        $client = new ApiClient('token', "http://$address", retries: 6);
        $command = 'sleep 0.3; exec "$0" -S "$1" "$2" 2>/dev/null';
        $process = proc_open(['sh', '-c', $command, PHP_BINARY, $address, __DIR__ . '/echo.php'], [], $pipes);
        try {
            self::assertSame('Plaza Hotel', $client->groups->update('x', [], ifMatch: '"a"')->name);
        } finally {
            proc_terminate($process);
            proc_close($process);
        }
    }

    public function testADeleteWhoseResponseIsLostSucceeds(): void
    {
        foreach ([false, true] as $isConditional) {
            $group = $this->client()->groups->create(['name' => 'x']);
            $proxy = Server::faulty('pass', 'lose');
            $groups = $this->client($proxy)->groups;
            $groups->get($group->id);
            $groups->delete($group->id, ifMatch: $isConditional ? $group->etag : false);
            self::assertCount(3, $proxy->requests());
            self::assertApiError(404, 'group_not_found', null, fn () => $this->client()->groups->get($group->id));
        }
    }

    public function testA404ThatIsNotFromTheApiDoesNotEndADelete(): void
    {
        $groups = $this->client(Server::faulty('lose', '404'))->groups;
        self::assertApiError(404, null, null, fn () => $groups->delete(str_repeat('0', 16)));
    }

    public function testADeleteThatWasNotMadeBeforeReportsThatTheGroupIsMissing(): void
    {
        foreach (['503', '429', '408'] as $fault) {
            $groups = $this->client(Server::faulty($fault))->groups;
            self::assertApiError(404, 'group_not_found', null, fn () => $groups->delete(str_repeat('0', 16)));
        }
    }
}
