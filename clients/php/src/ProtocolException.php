<?php

declare(strict_types=1);

namespace Protocol;

/**
 * The reason why a request failed.
 */
abstract class ProtocolException extends \RuntimeException
{
}
