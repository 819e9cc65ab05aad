-- Look at accounts: what was spent and what is held, account by account.
-- ARGV[1..] for each account: the milliseconds of a bucket or 0
local levels = {}
for i, key in ipairs(KEYS) do
  levels[2 * i - 1], levels[2 * i] = level(key, tonumber(ARGV[i]))
end
return levels
