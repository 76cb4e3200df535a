//! Adding an entry to its index.

use std::sync::LazyLock;

use crate::store::redis::generations;
use crate::store::redis::script::Script;

/// `KEYS`: the index; `ARGV`: the member, its score (empty: the index is a set), its TTL in milliseconds (empty: none).
/// A new index gets this TTL; the TTL of an existing one is only extended. Both may end with the generations and their
/// expected values: the entry does not join if they have changed. Returns the number of members, 0 if it did not join.
pub(crate) static JOIN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "the script that joins indexes",
        format!(
            "if #KEYS == 3 and not ({}) then return 0 end
         local left = redis.call('PTTL', KEYS[1])
         if ARGV[2] == '' then redis.call('SADD', KEYS[1], ARGV[1])
         else redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1]) end
         if ARGV[3] == '' then
           if left >= 0 then redis.call('PERSIST', KEYS[1]) end
         elseif left == -2 or (left >= 0 and left < tonumber(ARGV[3])) then
           redis.call('PEXPIRE', KEYS[1], ARGV[3])
         end
         return redis.call(ARGV[2] == '' and 'SCARD' or 'ZCARD', KEYS[1])",
            generations::IS_UNCHANGED
        ),
    )
});
