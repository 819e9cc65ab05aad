-- Exchange a hold for what was really spent; answers with the levels before and after, account by account.
-- ARGV[1]  id of the hold        ARGV[2]  the amount
-- ARGV[3..] for each account: the milliseconds of a bucket or 0, those it is kept for
local amount, levels = tonumber(ARGV[2]), {}
for i, key in ipairs(KEYS) do
  local width = tonumber(ARGV[2 * i + 1])
  redis.call('HDEL', key, 'h:' .. ARGV[1])
  local spent = level(key, width)
  if amount > 0 then
    local field = 's'
    if width > 0 then field = string.format('b%.0f', math.floor(now / width)) end
    redis.call('HINCRBY', key, field, string.format('%.0f', amount))
    redis.call('PEXPIRE', key, ARGV[2 * i + 2])
  end
  levels[2 * i - 1], levels[2 * i] = spent, spent + amount
end
return levels
