namespace EmrMarket.Grains.Embedded.Activations;

/// <summary>A ring of what waits for a turn. Not synchronized; empty, it takes no memory of its own.</summary>
internal struct WorkQueue
{
    private const int SmallestCapacity = 4;

    private object?[]? _ring;
    private int _head;

    internal int Count { get; private set; }

    internal void Enqueue(object item)
    {
        if (_ring is null || Count == _ring.Length)
        {
            Grow();
        }

        _ring![(_head + Count) & (_ring.Length - 1)] = item;
        Count++;
    }

    internal object? Dequeue()
    {
        if (Count == 0)
        {
            return null;
        }

        var item = _ring![_head];
        _ring[_head] = null;
        _head = (_head + 1) & (_ring.Length - 1);
        Count--;
        return item;
    }

    internal void Clear()
    {
        _ring = null;
        _head = 0;
        Count = 0;
    }

    private void Grow()
    {
        var larger = new object?[_ring is null ? SmallestCapacity : _ring.Length * 2];
        for (var i = 0; i < Count; i++)
        {
            larger[i] = _ring![(_head + i) & (_ring.Length - 1)];
        }

        _ring = larger;
        _head = 0;
    }
}
