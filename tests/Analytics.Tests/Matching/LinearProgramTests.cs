using System.Diagnostics;
using System.Globalization;
using System.Text;
using EmrMarket.Analytics.Matching;

namespace EmrMarket.Analytics.Tests.Matching;

/// <summary>
/// The matching as a linear program, solved by GLPK's simplex in floating point. Markets are independent blocks of one program, so that one
/// run of the solver answers for hundreds. All data are integers far below 2^53, so sums that differ differ by at least one, and a half
/// tells them apart.
/// </summary>
public sealed class LinearProgramTests
{
    private const double Half = 0.5;

    [RequiresFact(Tool.Glpk)]
    public async Task Match_has_the_optimum_of_the_linear_program_and_premiums_the_least_sum_of_its_duals()
    {
        MatchProblem[] markets =
        [
            .. Enumerable.Range(0, 250)
            .Select(seed => Markets.Random(seed, maxClasses: 8, maxRequests: 6, maxMembers: 9, maxQuota: 4, maxRecords: 40, maxWeight: 12)),
            .. Enumerable.Range(1_000, 60)
            .Select(seed => Markets.Random(
                seed, maxClasses: 20, maxRequests: 10, maxMembers: 50, maxQuota: 3, maxRecords: 300, maxWeight: 1_000_000)),
            Markets.Random(5_000, maxClasses: 120, maxRequests: 40, maxMembers: 40, maxQuota: 3, maxRecords: 500, maxWeight: 10_000),
        ];
        MatchOutcome[] outcomes = [.. markets.Select(market => ExactMatcher.Solve(market))];
        Program primal = new("Maximize");
        foreach (MatchProblem market in markets)
        {
            primal.AddMatch(market);
        }

        Solution solved = await primal.SolveAsync();
        Program dual = new("Minimize");
        for (int m = 0; m < markets.Length; m++)
        {
            long welfare = (long)Markets.Welfare(markets[m], outcomes[m].SalesByClass);
            Assert.Equal(solved.Objectives[m], welfare, Half);

            // By strong duality the program's own duals say the same, and so do the prices that are paid by.
            Assert.Equal(solved.DualObjectives[m], welfare, Half);
            Assert.Equal(welfare, DualObjective(markets[m], outcomes[m]));
            dual.AddLeastPremiums(markets[m], welfare);
        }

        Solution least = await dual.SolveAsync();
        for (int m = 0; m < markets.Length; m++)
        {
            Assert.Equal(least.Objectives[m], outcomes[m].Classes.Sum(price => price.Premium), Half);
        }
    }

    [RequiresFact(Tool.Glpk)]
    public async Task Comparison_finds_a_match_that_is_not_the_best()
    {
        MatchProblem market = Markets.Of([(3, 1)], [(2, 0), (2, 0)], new long[,] { { 5, 4 } });
        Program program = new("Maximize");
        program.AddMatch(market);
        double best = (await program.SolveAsync()).Objectives[0];
        Assert.Equal(14, best, Half);
        Assert.True(best - (double)Markets.Welfare(market, [new Sale(0, 0, 1), new Sale(0, 1, 2)]) > Half);
    }

    /// <summary>N v + n q u + n s over a market, s the surplus that prices leave to a pair.</summary>
    private static long DualObjective(MatchProblem market, MatchOutcome outcome)
    {
        long value = 0;
        for (int j = 0; j < market.Requests.Count; j++)
        {
            value += market.Requests[j].Records * outcome.Requests[j].Surplus;
        }

        for (int c = 0; c < market.Classes.Count; c++)
        {
            value += market.Classes[c].Capacity * outcome.Classes[c].Premium;
            for (int j = 0; j < market.Requests.Count; j++)
            {
                if (market.Weights[c, j] != WeightMatrix.Inadmissible)
                {
                    value += market.Classes[c].Members * Math.Max(
                        0, market.Weights[c, j] - outcome.Classes[c].Premium - outcome.Requests[j].Surplus);
                }
            }
        }

        return value;
    }

    /// <summary>Objectives and dual objectives by block.</summary>
    private sealed record Solution(double[] Objectives, double[] DualObjectives);

    /// <summary>A program in the form of CPLEX, in blocks that share nothing.</summary>
    private sealed class Program(string sense)
    {
        private readonly StringBuilder _objective = new(), _rows = new(), _bounds = new();
        private readonly List<(int Block, long Cost, long Upper)> _columns = [];
        private readonly List<(int Block, long Right)> _sides = [];
        private int _blocks;

        /// <summary>max w x, with x at most n, and the sums at most n q and N.</summary>
        public void AddMatch(MatchProblem market)
        {
            List<int>[] byClass = [.. market.Classes.Select(_ => new List<int>())],
            byRequest = [.. market.Requests.Select(_ => new List<int>())];
            for (int c = 0; c < market.Classes.Count; c++)
            {
                for (int j = 0; j < market.Requests.Count; j++)
                {
                    if (market.Weights[c, j] is var weight && weight != WeightMatrix.Inadmissible)
                    {
                        int column = AddColumn(weight, market.Classes[c].Members);
                        byClass[c].Add(column);
                        byRequest[j].Add(column);
                    }
                }
            }

            foreach ((List<int> columns, long right) in byClass.Zip(market.Classes.Select(c => c.Capacity))
                .Concat(byRequest.Zip(market.Requests.Select(r => r.Records))).Where(row => row.First.Count > 0))
            {
                AddRow(columns.Select(column => (1L, column)), "<=", right);
            }

            _blocks++;
        }

        /// <summary>min sum of u over the optimal duals: those whose objective is the welfare.</summary>
        public void AddLeastPremiums(MatchProblem market, long welfare)
        {
            const long Free = -1;
            int[] u = [.. market.Classes.Select(_ => AddColumn(1, Free))];
            int[] v = [.. market.Requests.Select(_ => AddColumn(0, Free))];
            List<(long, int)> objective = [.. u.Select((column, c) => (market.Classes[c].Capacity, column)),
                .. v.Select((column, j) => (market.Requests[j].Records, column))];
            for (int c = 0; c < u.Length; c++)
            {
                for (int j = 0; j < v.Length; j++)
                {
                    if (market.Weights[c, j] is var weight && weight > 0)
                    {
                        int s = AddColumn(0, Free);
                        objective.Add((market.Classes[c].Members, s));
                        AddRow([(1, u[c]), (1, v[j]), (1, s)], ">=", weight);
                    }
                }
            }

            AddRow(objective, "<=", welfare);
            _blocks++;
        }

        public async Task<Solution> SolveAsync()
        {
            string folder = Directory.CreateTempSubdirectory("emr-lp-").FullName;
            try
            {
                (string program, string solution) = (Path.Combine(folder, "program.lp"), Path.Combine(folder, "solution.txt"));
                await File.WriteAllTextAsync(program, $"{sense}\n o:{_objective}\nSubject To\n{_rows}Bounds\n{_bounds}End\n");
                using Process solver =
                    Process.Start(new ProcessStartInfo(Tools.Require(Tool.Glpk),
                        ["--lp", program, "--write", solution]) { RedirectStandardOutput = true, UseShellExecute = false })!;
                string said = await solver.StandardOutput.ReadToEndAsync();
                await solver.WaitForExitAsync();
                Assert.True(solver.ExitCode == 0 && File.Exists(solution), said);
                return Read(await File.ReadAllLinesAsync(solution));
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        private int AddColumn(long cost, long upper)
        {
            int column = _columns.Count + 1;
            _objective.Append(CultureInfo.InvariantCulture, $" {cost:+0;-0;+0} x{column}\n");
            _bounds.Append(CultureInfo.InvariantCulture,
                $" 0 <= x{column}{(upper < 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" <= {upper}"))}\n");
            _columns.Add((_blocks, cost, upper));
            return column;
        }

        private void AddRow(IEnumerable<(long Factor, int Column)> terms, string relation, long right)
        {
            _sides.Add((_blocks, right));
            _rows.Append(CultureInfo.InvariantCulture, $" r{_sides.Count}:");
            foreach ((long factor, int column) in terms)
            {
                _rows.Append(CultureInfo.InvariantCulture, $" + {factor} x{column}\n");
            }

            _rows.Append(CultureInfo.InvariantCulture, $" {relation} {right}\n");
        }

        /// <summary>Lines <c>i row status value dual</c> and <c>j column status value reduced-cost</c>, after <c>s bas rows columns f f
        /// objective</c>: feasible in both senses, so optimal.</summary>
        private Solution Read(string[] lines)
        {
            Solution solution = new(new double[_blocks], new double[_blocks]);
            string[] status = Array.Find(lines, line => line.StartsWith("s ", StringComparison.Ordinal))!.Split(' ');
            Assert.Equal(["s", "bas", $"{_sides.Count}", $"{_columns.Count}", "f", "f"], status[..6]);
            foreach (string[] parts in lines.Select(line => line.Split(' ')).Where(parts => parts[0] is "i" or "j"))
            {
                int at = int.Parse(parts[1], CultureInfo.InvariantCulture) - 1;
                (double value, double dual) = (
                    double.Parse(parts[3], CultureInfo.InvariantCulture), double.Parse(parts[4], CultureInfo.InvariantCulture));
                if (parts[0] == "i")
                {
                    solution.DualObjectives[_sides[at].Block] += dual * _sides[at].Right;
                }
                else
                {
                    solution.Objectives[_columns[at].Block] += value * _columns[at].Cost;
                    solution.DualObjectives[_columns[at].Block] += Math.Max(0, dual) * Math.Max(0, _columns[at].Upper);
                }
            }

            return solution;
        }
    }
}
