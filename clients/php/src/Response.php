<?php

declare(strict_types=1);

namespace Protocol;

/**
 * A response of any status code.
 *
 * @internal
 */
final class Response
{
    /** @var array<string, string> by their names in lower case */
    private readonly array $headers;
    /** @var array<string, string> the texts of an error's body, which may be API Gateway's, or a proxy's HTML */
    public readonly array $error;

    /** @param array<string, string> $headers */
    public function __construct(
        public readonly int $status,
        array $headers,
        private readonly string $body,
        #[\SensitiveParameter] string $token,
    ) {
        // A server may repeat the token in what it responds.
        $this->headers = str_replace($token, '***', $headers);
        $texts = $this->isSuccess() ? [] : array_filter((array) json_decode($body), 'is_string');
        $this->error = str_replace($token, '***', $texts);
    }

    public function isSuccess(): bool
    {
        return $this->status >= 200 && $this->status < 300;
    }

    public function header(string $name): ?string
    {
        return $this->headers[$name] ?? null;
    }

    /** Returns the request id of the API or, in a response that API Gateway makes by itself, of API Gateway. */
    public function requestId(): ?string
    {
        return $this->header('x-request-id') ?? $this->header('apigw-requestid');
    }

    /** Returns the seconds of Retry-After, or 0. */
    public function retryAfter(): int
    {
        $value = $this->header('retry-after') ?? '';
        return preg_match('/^\d+$/D', $value) === 1 ? (int) $value : 0;
    }

    /**
     * Returns the body as an object of this class.
     *
     * @template T of Group|Page
     * @param class-string<T> $class
     * @return T
     * @throws ApiException if the body is not JSON with the expected members
     */
    public function decode(string $class): Group|Page
    {
        try {
            return new $class(json_decode($this->body), $this);
        } catch (\TypeError) {
            // Without the cause: its stack trace has an object without properties, which print_r() cannot show.
            throw new ApiException($this);
        }
    }
}
