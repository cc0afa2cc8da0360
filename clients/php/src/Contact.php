<?php

declare(strict_types=1);

namespace Protocol;

/**
 * A contact of a group, which can be sent back. The properties have the names of the API's members. Times are Unix
 * seconds.
 */
final class Contact implements \JsonSerializable
{
    public readonly ?string $id;
    public readonly string $username;
    public readonly ?string $phone_number;
    public readonly ?string $avatar_url;
    public readonly ?string $display_name;
    public readonly ?string $conversation_id;
    public readonly ?int $last_active_at;
    public readonly ?int $created_at;

    /** @internal */
    public function __construct(private readonly \stdClass $members)
    {
        $this->id = $members->id ?? null;
        $this->username = $members->username ?? null;
        $this->phone_number = $members->phone_number ?? null;
        $this->avatar_url = $members->avatar_url ?? null;
        $this->display_name = $members->display_name ?? null;
        $this->conversation_id = $members->conversation_id ?? null;
        $this->last_active_at = $members->last_active_at ?? null;
        $this->created_at = $members->created_at ?? null;
    }

    /** Returns all members, so that those that this version does not know are not lost when they are sent back. */
    public function jsonSerialize(): \stdClass
    {
        return $this->members;
    }

    /** @return array<string, mixed> */
    public function __debugInfo(): array
    {
        return (array) $this->members;
    }
}
