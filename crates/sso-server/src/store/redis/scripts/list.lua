-- Store::of_user, families_of and links_of: those of a list whose field names its owner; name, record and times of
-- each.
local list, kind, field, owner = unpack(ARGV, 3)
local found = {}
for _, name in ipairs(redis.call('ZRANGE', key(list, owner), 0, -1)) do
  local of = redis.call('HMGET', key(kind, name), field, 'sealed', 'seen', 'keep')
  if of[1] == owner then found[#found + 1] = { name, of[2], of[3], of[4] } end
end
return found
