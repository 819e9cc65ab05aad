-- What decisions about vectors share.
-- ARGV[1]  what the keys of all vector sets begin with
local function drop(kept, member)
  local name, key = string.match(member, '^(%S+) (.*)$')
  redis.call('VREM', ARGV[1] .. name, key)
  redis.call('ZREM', kept, member)
end
