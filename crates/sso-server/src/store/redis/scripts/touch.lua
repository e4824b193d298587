-- Store::touch.
local id, at, keep, epoch, ends = unpack(ARGV, 3)
local s = key('session', id)
local was = redis.call('HMGET', s, 'seen', 'keep', 'epoch')
if not was[1] then return { 'gone' } end
if was[3] ~= epoch then return { 'conflict' } end
redis.call('HSET', s, 'seen', later(was[1], at), 'keep', later(was[2], keep))
if tonumber(keep) > tonumber(was[2]) then keep_session(id, keep) end
if ends ~= '' then ends = later(ends, redis.call('ZSCORE', ns .. ':ends', id) or ends) end
note_end(id, ends, later(was[2], keep))
return { 'done' }
