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
    /** @param array<string, string> $headers by their names in lower case */
    public function __construct(
        public readonly int $status,
        private readonly array $headers,
        public readonly string $body,
    ) {
    }

    public function isSuccess(): bool
    {
        return $this->status >= 200 && $this->status < 300;
    }

    public function header(string $name): ?string
    {
        return $this->headers[$name] ?? null;
    }

    /** Returns the seconds of Retry-After, or 0. */
    public function retryAfter(): int
    {
        $value = $this->header('retry-after') ?? '';
        return preg_match('/^\d+$/D', $value) === 1 ? (int) $value : 0;
    }

    /**
     * Returns what the function makes of the body.
     *
     * @template T
     * @param \Closure(\stdClass): T $build
     * @return T
     * @throws ApiException if the body is not JSON with the expected members
     */
    public function decode(\Closure $build): mixed
    {
        try {
            return $build(json_decode($this->body, flags: JSON_THROW_ON_ERROR));
        } catch (\JsonException | \TypeError $exception) {
            throw new ApiException($this, $exception);
        }
    }
}
