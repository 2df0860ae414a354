#pragma once

// Empty: what c10d includes it for is not in its headers (context.h).
