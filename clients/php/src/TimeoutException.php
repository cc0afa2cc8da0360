<?php

declare(strict_types=1);

namespace Protocol;

/**
 * No complete response arrived within the time-out.
 */
final class TimeoutException extends ProtocolException
{
}
