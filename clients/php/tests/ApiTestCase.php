<?php

declare(strict_types=1);

namespace Protocol\Tests;

use PHPUnit\Framework\TestCase;
use Protocol\ApiClient;
use Protocol\ApiException;

abstract class ApiTestCase extends TestCase
{
    /** @var list<Server> until the end of the test */
    private array $servers = [];

    protected function tearDown(): void
    {
        $this->servers = [];
    }

    protected function client(?Server $server = null, float $timeout = 30, int $retries = 2): ApiClient
    {
        if ($server !== null) {
            $this->servers[] = $server;
        }
        return new ApiClient(getenv('GROUPS_TOKEN'), $server?->url ?? getenv('GROUPS_URL'), $timeout, $retries);
    }

    /** Runs a program whose variable `$token` contains the token, and returns what it prints. */
    protected static function runProgram(string $code): string
    {
        $program = 'require "' . __DIR__ . '/../vendor/autoload.php"; $token = getenv("GROUPS_TOKEN");' . $code;
        $environment = ['PROTOCOL_BASE_URL' => getenv('GROUPS_URL'), ...getenv()];
        // Stack traces with arguments, as in PHP's default configuration.
        $command = [PHP_BINARY, '-d', 'zend.exception_ignore_args=0', '-r', $program];
        $process = proc_open($command, [1 => ['pipe', 'w'], 2 => ['redirect', 1]], $pipes, null, $environment);
        $printed = stream_get_contents($pipes[1]);
        self::assertSame(0, proc_close($process), $printed);
        return $printed;
    }

    /** Returns a name that no other group has. */
    protected static function newName(): string
    {
        return 'Test ' . bin2hex(random_bytes(8));
    }

    /** Returns the number of groups with this name. */
    protected function countGroups(string $name): int
    {
        $count = 0;
        foreach ($this->client()->groups->iterate() as $group) {
            $count += $group->name === $name ? 1 : 0;
        }
        return $count;
    }

    /**
     * Returns the exception of this class that the call throws.
     *
     * @template T of \Throwable
     * @param class-string<T> $class
     * @return T
     */
    protected static function catch(string $class, callable $call): \Throwable
    {
        try {
            $call();
        } catch (\Throwable $exception) {
            self::assertInstanceOf($class, $exception, $exception->getMessage());
            return $exception;
        }
        self::fail("The call did not throw $class.");
    }

    protected static function assertApiError(int $status, ?string $code, ?string $param, callable $call): ApiException
    {
        $exception = self::catch(ApiException::class, $call);
        self::assertSame(
            [$status, $code, $param],
            [$exception->status, $exception->error_code, $exception->param],
            $exception->getMessage()
        );
        return $exception;
    }
}
