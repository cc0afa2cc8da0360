<?php

declare(strict_types=1);

namespace Protocol;

/**
 * Sends requests, and retries them if that is safe.
 *
 * @internal
 */
final class Transport
{
    private const TRANSIENT = [408, 429, 500, 502, 503, 504];
    private const MAX_CONNECT_SECONDS = 10;
    private const FIRST_BACKOFF_SECONDS = 0.5;
    private const MAX_BACKOFF_SECONDS = 8;
    private const MAX_RETRY_AFTER_SECONDS = 30;

    private readonly string $baseUrl;

    /** @param \CurlHandle $curl sends the token, and keeps the connection */
    public function __construct(
        private readonly \CurlHandle $curl,
        string $baseUrl,
        float $timeout,
        private readonly int $retries,
    ) {
        if (preg_match('#^https?://[^/?\#\s]+[^?\#\s]*$#Di', $baseUrl) !== 1) {
            throw new \InvalidArgumentException('The base URL is not an http or https URL without query and fragment.');
        }
        if (!($timeout >= 0.001 && $timeout <= 86400)) {
            throw new \InvalidArgumentException('The time-out is not between a millisecond and a day, in seconds.');
        }
        if ($retries < 0) {
            throw new \InvalidArgumentException('The number of retries is negative.');
        }
        $this->baseUrl = rtrim($baseUrl, '/');
        // Redirects are not followed, because CURLOPT_FOLLOWLOCATION is off by default.
        curl_setopt_array($this->curl, [
            CURLOPT_USERAGENT => 'protocol-api-php/' . ApiClient::VERSION,
            CURLOPT_HTTP_VERSION => CURL_HTTP_VERSION_1_1,
            CURLOPT_PATH_AS_IS => true,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT_MS => (int) ($timeout * 1000),
            CURLOPT_CONNECTTIMEOUT_MS => (int) (min($timeout, self::MAX_CONNECT_SECONDS) * 1000),
            CURLOPT_NOSIGNAL => true,
        ]);
    }

    /**
     * Returns the response to the first attempt that succeeds.
     *
     * @param array<string, string> $headers
     * @throws ProtocolException if the last attempt fails
     */
    public function send(string $method, string $path, array $headers = [], ?string $body = null): Response
    {
        $isConditionalUpdate = $method === 'PUT' && isset($headers['If-Match']);
        $mayBeDone = false;
        for ($attempt = 0;; $attempt++) {
            $retryAfter = 0;
            try {
                $response = $this->attempt($method, $path, $headers, $body);
                if ($response->isSuccess() || $method === 'DELETE' && $response->status === 404 && $mayBeDone) {
                    return $response;
                }
                $exception = new ApiException($response);
                $isTransient = in_array($response->status, self::TRANSIENT, true);
                $mayBeDone = $mayBeDone || $response->status !== 429 && $exception->error_code !== 'unavailable';
                $retryAfter = min($response->retryAfter(), self::MAX_RETRY_AFTER_SECONDS);
            } catch (ConnectionException | TimeoutException $exception) {
                $isTransient = true;
                $mayBeDone = $mayBeDone || curl_getinfo($this->curl, CURLINFO_REQUEST_SIZE) > 0;
            }
            // If the update was made, a second one would fail with 412, which would be misleading.
            if (!$isTransient || $attempt === $this->retries || $isConditionalUpdate && $mayBeDone) {
                throw $exception;
            }
            $backoff = min(self::FIRST_BACKOFF_SECONDS * 2 ** $attempt, self::MAX_BACKOFF_SECONDS);
            usleep((int) (1e6 * max($retryAfter, $backoff * random_int(0, 1000) / 1000)));
        }
    }

    /** @param array<string, string> $headers */
    private function attempt(string $method, string $path, array $headers, ?string $body): Response
    {
        // libcurl omits headers without a value. It would send `Expect: 100-continue`, which delays large bodies.
        $lines = ['Accept: application/json', 'Content-Type:' . ($body === null ? '' : ' application/json'), 'Expect:'];
        foreach ($headers as $name => $value) {
            // A value that is empty would be omitted too, and a line break would start another header.
            if (preg_match('/^[!-~]([ -~]*[!-~])?$/D', $value) !== 1) {
                throw new \InvalidArgumentException("$name is empty or contains a character that it cannot have.");
            }
            $lines[] = "$name: $value";
        }
        $received = [];
        curl_setopt_array($this->curl, [
            CURLOPT_URL => $this->baseUrl . $path,
            // Forgets the body of the last request.
            CURLOPT_HTTPGET => true,
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => $lines,
            // If a connection that it reuses breaks, libcurl itself sends the request again, which is not safe here.
            CURLOPT_FRESH_CONNECT => $method === 'DELETE' || isset($headers['If-Match']),
            CURLOPT_HEADERFUNCTION => static function (\CurlHandle $curl, string $line) use (&$received): int {
                [$name, $value] = [...explode(':', $line, 2), ''];
                $received[strtolower($name)] = trim($value);
                return strlen($line);
            },
        ]);
        if ($body !== null) {
            curl_setopt($this->curl, CURLOPT_POSTFIELDS, $body);
        }
        $content = curl_exec($this->curl);
        if ($content === false) {
            $class = curl_errno($this->curl) === CURLE_OPERATION_TIMEDOUT
                ? TimeoutException::class
                : ConnectionException::class;
            throw new $class(curl_error($this->curl));
        }
        return new Response(curl_getinfo($this->curl, CURLINFO_RESPONSE_CODE), $received, $content);
    }
}
