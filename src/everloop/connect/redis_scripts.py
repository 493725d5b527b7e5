"""What runs inside a Redis server, each script whole while nobody else writes or reads. In: keys and words. Out: 1 where it was done, 0
where a state is no longer what the writer took it for; then nothing was changed. A value begins with its sequence number, 8 bytes, big end
first.
"""

from __future__ import annotations

from hashlib import sha1
from typing import Final, NamedTuple


class Script(NamedTuple):
    """A script, and the name a server knows it by once it has seen it."""

    text: str
    sha: str


def script(text: str) -> Script:
    return Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


_OLDER: Final = """
local function older(have, than)
  if not have then return true end
  local a, b = struct.unpack('>I4I4', have)
  local c, d = struct.unpack('>I4I4', than)
  return a < c or (a == c and b < d)
end
"""

#: Compare and set. Words: how many guards, for each its key's number, the least mark ('': any) and the making ('*': any). Then items: the
#: hash's number, field, value, the set's number, how many members, each after '-' (lost), '+' (gained) or '<' (those of a prefix, whose
#: length comes first, up to what follows it go). Where the value that is there is as new, an item and its members stay as they are.
PUT: Final = script(
    _OLDER
    + """
local at = 2
for _ = 1, tonumber(ARGV[1]) do
  local key, least, made = KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2]
  if least ~= '' then
    local have = redis.call('HGET', key, 'm')
    if not have or older(have, least) then return 0 end
  end
  if made ~= '*' and redis.call('HGET', key, 'g') ~= made then return 0 end
  at = at + 3
end
while at <= #ARGV do
  local key, field, value = KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2]
  local set, last = KEYS[tonumber(ARGV[at + 3])], at + 4 + tonumber(ARGV[at + 4])
  local have = field ~= '' and redis.call('HGET', key, field)
  local fresh = older(have, value)
  if fresh and field ~= '' then redis.call('HSET', key, field, value) end
  if field == 'm' and have then
    local known = older(have:sub(9), value:sub(9)) and value or have
    redis.call('HSET', key, field, (fresh and value or have):sub(1, 8) .. known:sub(9))
  end
  for i = at + 5, last do
    local sign, member = ARGV[i]:sub(1, 1), ARGV[i]:sub(2)
    if fresh and sign == '+' then redis.call('ZADD', set, 0, member)
    elseif fresh and sign == '-' then redis.call('ZREM', set, member)
    elseif fresh then
      local size = struct.unpack('>I4', member)
      redis.call('ZREMRANGEBYLEX', set, '[' .. member:sub(5, 4 + size), '(' .. member:sub(5 + size))
    end
  end
  at = last + 1
end
return 1
"""
)

#: Begin to make states anew: what a replace that was killed left goes. Keys: for each state the new hash and set. Words: the making.
BEGIN: Final = script("""
for i = 1, #KEYS, 2 do
  redis.call('UNLINK', KEYS[i], KEYS[i + 1])
  redis.call('HSET', KEYS[i], 'g', ARGV[1])
end
return 1
""")

#: What was made takes its place. Keys: the states kept; for each state the new hash and set, the hash and set in use. Words: the making;
#: for each state its mark and its name.
SWAP: Final = script("""
for i = 2, #KEYS, 4 do
  if redis.call('HGET', KEYS[i], 'g') ~= ARGV[1] then return 0 end
end
for i = 2, #KEYS, 4 do
  local said = (i - 2) / 2 + 2
  redis.call('HSET', KEYS[i], 'm', ARGV[said])
  redis.call('UNLINK', KEYS[i + 2], KEYS[i + 3])
  redis.call('RENAME', KEYS[i], KEYS[i + 2])
  if redis.call('EXISTS', KEYS[i + 1]) == 1 then redis.call('RENAME', KEYS[i + 1], KEYS[i + 3]) end
  redis.call('ZADD', KEYS[1], 0, ARGV[said + 1])
end
return 1
""")

#: Keep states no longer. Keys: the states kept, then all of these. Words: their names.
FORGET: Final = script("""
for i = 1, #ARGV do redis.call('ZREM', KEYS[1], ARGV[i]) end
for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
return 1
""")
