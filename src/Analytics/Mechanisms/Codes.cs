using System.Runtime.Intrinsics;

namespace EmrMarket.Analytics.Mechanisms;

/// <summary>Columns of 16-bit codes.</summary>
internal static class Codes
{
    /// <summary>The largest code, -1 when there is none. O(n / 32).</summary>
    public static int Largest(ushort[] codes)
    {
        Vector512<ushort> largest = default;
        int i = 0;
        for (; i <= codes.Length - Vector512<ushort>.Count; i += Vector512<ushort>.Count)
        {
            largest = Vector512.Max(largest, Vector512.Create(codes, i));
        }

        int maximum = -1;
        for (int lane = 0; i > 0 && lane < Vector512<ushort>.Count; lane++)
        {
            maximum = Math.Max(maximum, largest[lane]);
        }

        for (; i < codes.Length; i++)
        {
            maximum = Math.Max(maximum, codes[i]);
        }

        return maximum;
    }
}
