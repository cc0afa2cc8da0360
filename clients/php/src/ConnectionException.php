<?php

declare(strict_types=1);

namespace Protocol;

/**
 * The connection could not be made, or was lost.
 */
final class ConnectionException extends ProtocolException
{
}
