<?php

declare(strict_types=1);

namespace Protocol\Tests;

/**
 * An HTTP server in another process, which ends with this object.
 */
final class Server
{
    public readonly string $url;
    /** @var resource */
    private $process;
    /** @var resource */
    private $output;

    /** @param list<string> $command prints its URL first */
    private function __construct(array $command)
    {
        $this->process = proc_open($command, [1 => ['pipe', 'w'], 2 => ['redirect', 1]], $pipes);
        $this->output = $pipes[1];
        if (preg_match('#http://[\d.:]+#', (string) fgets($this->output), $match) !== 1) {
            throw new \RuntimeException("{$command[0]} did not start.");
        }
        $this->url = $match[0];
        stream_set_blocking($this->output, false);
    }

    /** Starts a proxy of the API. See clients/faulty_proxy.py for the faults. */
    public static function faulty(string ...$faults): self
    {
        return new self(['python3', __DIR__ . '/../../faulty_proxy.py', ...$faults]);
    }

    /** Starts tests/echo.php. */
    public static function echo(): self
    {
        return new self([PHP_BINARY, '-S', '127.0.0.1:0', __DIR__ . '/echo.php']);
    }

    /**
     * Starts a server that responds like this to each request.
     *
     * @param array<string, string> $headers
     */
    public static function responding(int $status, string $body, array $headers = []): self
    {
        $head = "HTTP/1.1 $status Status\r\ncontent-length: " . strlen($body) . "\r\n";
        foreach ($headers as $name => $value) {
            $head .= "$name: $value\r\n";
        }
        return self::raw("$head\r\n$body");
    }

    /** Starts a server that responds to each request with these bytes, and closes the connection. */
    public static function raw(string $response): self
    {
        $file = tmpfile();
        fwrite($file, $response);
        return new self([PHP_BINARY, __DIR__ . '/raw.php', stream_get_meta_data($file)['uri']]);
    }

    /**
     * Returns the method and path of each request since the last call.
     *
     * @return list<string>
     */
    public function requests(): array
    {
        return preg_split('/\n/', (string) stream_get_contents($this->output), -1, PREG_SPLIT_NO_EMPTY);
    }

    public function __destruct()
    {
        proc_terminate($this->process);
        fclose($this->output);
        proc_close($this->process);
    }
}
