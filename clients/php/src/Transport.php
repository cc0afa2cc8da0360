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
    private const FIRST_BACKOFF_SECONDS = 0.5;
    private const MAX_BACKOFF_SECONDS = 8;
    private const MAX_RETRY_AFTER_SECONDS = 30;

    private readonly string $baseUrl;
    private int|false $processId;

    /** @param \CurlHandle $curl sends the token, and keeps the connection */
    public function __construct(
        private \CurlHandle $curl,
        string $baseUrl,
        private readonly float $timeout,
        private readonly int $retries,
    ) {
        $pattern = '#^https?://[^\0-\x20/?\#@\\\\]+(/[^\0-\x20?\#\\\\]*)?$#Di';
        if (preg_match($pattern, $baseUrl) !== 1 || parse_url($baseUrl) === false) {
            throw new \InvalidArgumentException(
                'The base URL must be an http or https URL without credentials, query or fragment, such as '
                . 'https://api.protocol.chat.'
            );
        }
        if (!($timeout >= 0.001 && $timeout <= 86400)) {
            throw new \InvalidArgumentException('`timeout` must be a number of seconds from 0.001 to 86,400 (a day).');
        }
        if ($retries < 0) {
            throw new \InvalidArgumentException('`retries` must be 0 or a positive integer.');
        }
        $this->processId = getmypid();
        $this->baseUrl = rtrim($baseUrl, '/');
        // Redirects are not followed, because CURLOPT_FOLLOWLOCATION is off by default.
        curl_setopt_array($this->curl, [
            CURLOPT_USERAGENT => 'protocol-api-php/' . ApiClient::VERSION,
            CURLOPT_HTTP_VERSION => CURL_HTTP_VERSION_1_1,
            CURLOPT_PATH_AS_IS => true,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT_MS => (int) ($timeout * 1000),
            CURLOPT_NOSIGNAL => true,
            // So that the token in the request can be found in the response.
            CURLINFO_HEADER_OUT => true,
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
                if ($method === 'DELETE' ? $response->status === 204 : $response->isSuccess()) {
                    return $response;
                }
                $exception = new ApiException($response);
                if ($method === 'DELETE' && $mayBeDone && $exception->error_code === 'group_not_found') {
                    return $response;
                }
                $isTransient = in_array($response->status, self::TRANSIENT, true);
                $mayBeDone = $mayBeDone || $response->status >= 500 && $exception->error_code !== 'unavailable';
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
        if ($this->processId !== getmypid()) {
            // After a fork, both processes would use the same connection. The copy has a new one.
            $this->processId = getmypid();
            $this->curl = curl_copy_handle($this->curl);
        }
        // libcurl omits headers without a value. It would send `Expect: 100-continue`, which delays large bodies.
        $lines = ['Accept: application/json', 'Content-Type:' . ($body === null ? '' : ' application/json'), 'Expect:'];
        foreach ($headers as $name => $value) {
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
                // A status line begins another response: interim responses, such as 103, come before the response.
                $received = str_starts_with($line, 'HTTP/') ? [] : $received;
                [$name, $value] = [...explode(':', $line, 2), ''];
                $received[strtolower(trim($name))] = trim($value);
                return strlen($line);
            },
        ]);
        if ($body !== null) {
            curl_setopt($this->curl, CURLOPT_POSTFIELDS, $body);
        }
        $content = curl_exec($this->curl);
        if (curl_errno($this->curl) === CURLE_OPERATION_TIMEDOUT) {
            $error = curl_error($this->curl);
            throw new TimeoutException(
                "There was no complete response within $this->timeout seconds. Try again later. $error"
            );
        }
        // The headers end with an empty line. libcurl ignores it if a connection closes before.
        if ($content === false || !isset($received[''])) {
            $error = curl_error($this->curl) ?: 'The response ends in its headers.';
            throw new ConnectionException("The connection failed. Check the network and the base URL. $error");
        }
        preg_match('/^Authorization: Bearer (.*)\r$/m', curl_getinfo($this->curl, CURLINFO_HEADER_OUT), $match);
        return new Response(curl_getinfo($this->curl, CURLINFO_RESPONSE_CODE), $received, $content, $match[1]);
    }
}
